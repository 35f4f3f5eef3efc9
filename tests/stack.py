"""The PostgreSQL and the Kafka that tests run on: the same ladder as on a laptop, or containers."""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from infra.local.broker import BrokerOptions, KafkaBroker
from infra.local.kafka import likely_broker, start_broker
from infra.local.ports import free_port
from infra.local.postgres import PostgresServer
from infra.local.processes import Say

TEMPLATE = "eskit_template"
ROOT = Path(__file__).parents[1]

# Not DATABASE_URL and KAFKA_BOOTSTRAP: a shell that has them from `make env` means its own stack, whose data tests
# have no business with.
GIVEN_KAFKA = "ESKIT_TEST_KAFKA_BOOTSTRAP"
STACK_VARIABLES = ("DATABASE_URL", "KAFKA_BOOTSTRAP")

_numbers = itertools.count(1)


class Postgres(Protocol):
    """What tests need of a PostgreSQL, wherever it runs."""

    @property
    def description(self) -> str: ...

    @property
    def url(self) -> str:
        """Of the database `postgres`, as superuser."""

    def url_of(self, database: str) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def in_containers() -> bool:
    """ESKIT_TEST_INFRA=containers: both servers come from testcontainers."""
    wanted = os.environ.get("ESKIT_TEST_INFRA", "local")
    if wanted not in {"local", "containers"}:
        raise ValueError(f"ESKIT_TEST_INFRA is {wanted!r}; it can be local, containers")
    return wanted == "containers"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for servers' data, which also a server that runs as another user can reach."""
    with tempfile.TemporaryDirectory(prefix="eskit-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


@contextmanager
def local_postgres() -> Iterator[PostgresServer]:
    """A server of one's own, started; it may be stopped, killed and started again. fsync is on."""
    with scratch() as folder:
        server = PostgresServer(folder / "postgres")
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@contextmanager
def local_kafka(say: Say) -> Iterator[KafkaBroker]:
    """A broker of one's own, started; it may be stopped, killed and started again on the same data."""
    with scratch() as folder:
        forced = os.environ.get("ESKIT_KAFKA", "")
        broker = start_broker(_options(folder, say), given=os.environ.get(GIVEN_KAFKA, ""), forced=forced)
        try:
            yield broker
        finally:
            broker.kill()
            broker.remove()


def plan() -> str:
    """What a session will most likely run on, for its first lines."""
    if in_containers():
        return "PostgreSQL and Kafka in containers"
    with scratch() as folder:
        postgres = PostgresServer(folder / "postgres").description
        given, forced = os.environ.get(GIVEN_KAFKA, ""), os.environ.get("ESKIT_KAFKA", "")
        kafka = likely_broker(_options(folder, lambda _line: None), given=given, forced=forced).description
    return f"{postgres}; Kafka: {kafka}"


def _options(folder: Path, say: Say) -> BrokerOptions:
    return BrokerOptions(folder, free_port(), say, quick=True)


def make_template(postgres: Postgres) -> str:
    """A database with every schema, from which each test's own is copied."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    migrate(postgres.url_of(TEMPLATE))
    return TEMPLATE


def migrate(url: str) -> None:
    """Bring a database's schemas up to date, as a user does."""
    command = [sys.executable, "-m", "eskit", "migrate", "--database-url", url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"`eskit migrate` failed:\n{done.stdout}{done.stderr}")


@contextmanager
def fresh_database(postgres: Postgres, template: str) -> Iterator[str]:
    """The URL of a copy of the template, dropped afterwards with whoever is still connected to it."""
    name = f"t_{next(_numbers)}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(copy)
    try:
        yield postgres.url_of(name)
    finally:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(drop)


@contextmanager
def standing_still(url: str, application: str) -> Iterator[None]:
    """The server processes that work for an application are stopped, as on a machine that hangs."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    with psycopg.connect(url, autocommit=True) as owner:
        pids = [pid for (pid,) in owner.execute(query, (application,)).fetchall()]
    assert pids, f"nothing works for {application}"
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
