"""Brings the whole stack up, watches it, and takes it down again."""

import sys
import time
from collections.abc import Mapping
from dataclasses import replace

from eskit import settings
from infra.local import database, processes, republish, services, summary
from infra.local.broker import BrokerOptions, KafkaBroker
from infra.local.kafka import start_broker
from infra.local.ports import is_taken
from infra.local.processes import Program
from infra.local.service import ServiceProcess, ServiceSpec
from infra.local.services import Addresses, WrongSettingError
from infra.local.state import LastRun, State
from infra.local.supervisor import BrokenError, Supervisor, Watched
from infra.local.terminal import Speaker, say, shout

KAFKA_PORT = 19092
KAFKA_PORT_VARIABLE = "ESKIT_KAFKA_PORT"
READY_TIMEOUT_S = 60.0
HOPELESS_BACKOFF_S = 2.0
MIGRATE_TIMEOUT_S = 120.0
LEFTOVERS_TIMEOUT_S = 10.0
KAFKA_STOP_S = 2.5
POSTGRES_STOP_S = 1.5


class Stack:
    """One run of the stack, from the first check to the last stop."""

    def __init__(self, state: State, specs: list[ServiceSpec], environ: Mapping[str, str]) -> None:
        self._state = state
        self._specs = specs
        self._environ = without_own(environ, state.read().environment)
        self._supervisor = Supervisor()
        self._ports = [spec.port for spec in specs]  # that our own processes listen on

    def run(self) -> int:
        """Until Ctrl-C or SIGTERM: 0. 1 when something that cannot be restarted has ended."""
        with self._state.running():
            self._check_ports()
            self._supervisor.listen_to_signals()
            try:
                self._start()
                self._supervisor.watch()
            except KeyboardInterrupt:
                say("stopping (Ctrl-C once more: at once)")
            except BrokenError as error:
                shout(str(error))
                return 1
            finally:
                self._supervisor.stop_all(services.STOP_ORDER)
                self._state.write(replace(self._state.read(), up=False))
                say("everything is stopped; the data are kept in .eskit")
        return 0

    def _check_ports(self) -> None:
        """Before anything heavy starts."""
        last = self._state.read()
        if last.up:  # and yet we hold the lock: it was killed, and its children may still be on their way out
            processes.wait_for(lambda: not any(map(is_taken, last.ports)), timeout_s=LEFTOVERS_TIMEOUT_S)
        for spec in self._specs:
            if is_taken(spec.port):
                raise WrongSettingError(
                    f"port {spec.port} is taken, and {spec.name} needs one: stop what listens there, "
                    f"or set {spec.port_variable} to a free port"
                )

    def _start(self) -> None:
        started_at = time.monotonic()
        database_url, broker = self._start_postgres(), self._start_kafka()
        addresses = Addresses(database_url, broker.bootstrap)
        environment = services.environment(self._specs, addresses, self._environ)
        migrate(environment)
        own_kafka = "" if broker.kind == "given" or self._given_database() else broker.kind
        if own_kafka and republish.is_needed(broker, self._state.read().kafka):
            republish.publish_anew(broker, environment)
        public = services.published(services.urls(self._specs), addresses)
        self._state.write(LastRun(public, self._ports, own_kafka, up=True))
        running = self._start_services(environment)
        self._wait_until_ready()
        summary.show(running, addresses, time.monotonic() - started_at)

    def _given_database(self) -> str:
        return self._environ.get("ESKIT_DATABASE_URL") or self._environ.get("DATABASE_URL", "")

    def _start_postgres(self) -> str:
        if given := self._given_database():
            database.check_given(given)
            return given
        server = database.own_server(self._state.home, self._environ)
        say(f"PostgreSQL: {server.description}")
        self._supervisor.start(Watched("postgres", server, POSTGRES_STOP_S))
        return server.ensure_database(database.DATABASE)

    def _start_kafka(self) -> KafkaBroker:
        given = self._environ.get("ESKIT_KAFKA_BOOTSTRAP") or self._environ.get("KAFKA_BOOTSTRAP", "")
        port = database.chosen_port(self._environ, KAFKA_PORT_VARIABLE, KAFKA_PORT)
        options = BrokerOptions(self._state.home / "kafka", port, say)
        broker = start_broker(options, given=given, forced=self._environ.get("ESKIT_KAFKA", ""))
        self._supervisor.add(Watched("kafka", broker, KAFKA_STOP_S, can_restart=broker.durable))
        if not given:
            self._ports.append(port)
        self._prepare_topic(broker)
        return broker

    def _prepare_topic(self, broker: KafkaBroker) -> None:
        """On the built-in broker the relay cannot make its topic, and a first use would make it too narrow."""
        if broker.kind == "builtin":
            config = settings.load(self._environ)
            broker.create_topic(config.topic, config.topic_partitions)

    def _start_services(self, environment: Mapping[str, str]) -> list[ServiceProcess]:
        logs = self._state.home / "logs"
        logs.mkdir(exist_ok=True)
        running = []
        for number, spec in enumerate(self._specs):
            process = ServiceProcess(spec, environment, logs / f"{spec.name}.log", Speaker(spec.name, number))
            self._supervisor.start(Watched(spec.name, process, spec.stop_s))
            running.append(process)
        return running

    def _wait_until_ready(self) -> None:
        """Until each is, or its time is up, or it has ended so often that there is no point in waiting."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        say("waiting until the services are ready")
        self._supervisor.watch(until=lambda: time.monotonic() > deadline or all(map(settled, self._supervisor.parts)))


def settled(watched: Watched) -> bool:
    """Whether waiting for this part changes nothing any more."""
    if not isinstance(watched.part, ServiceProcess) or watched.backoff.next_s > HOPELESS_BACKOFF_S:
        return True
    return watched.part.alive() and watched.part.readiness()[0]


def without_own(environ: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The environment without the addresses of this checkout's own last stack.

    A shell that took them from `make env` would otherwise name servers that nobody starts any more.
    """
    return {name: value for name, value in environ.items() if own.get(name) != value}


def migrate(environment: Mapping[str, str]) -> None:
    """Bring the schemas up to date; BrokenError when that fails."""
    program = Program((sys.executable, "-m", "eskit", "migrate"), env=environment)
    try:
        code = processes.watch(program, Speaker("migrate", 0), timeout_s=MIGRATE_TIMEOUT_S)
    except TimeoutError as error:
        raise BrokenError(f"the database schemas: {error}") from None
    if code != 0:
        raise BrokenError("the database schemas could not be brought up to date")
