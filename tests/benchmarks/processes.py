"""Several event stores on one database, a CRUD service among them, against one: they share a sequencer."""

from __future__ import annotations

import statistics
import threading

from tests.benchmarks.measure import load, row, say, service
from tests.services import config_for
from tests.stack import local_postgres, migrate

PROCESSES = 3
CLIENTS = (63, 192)


def run(rounds: int, requests: int) -> None:
    """The same clients on one process, and spread over three."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        config = config_for(postgres.url)
        with (
            service("eventstore_svc", config, "eventstore_port") as one,
            service("eventstore_svc", config, "eventstore_port") as two,
            service("eventstore_svc", config, "eventstore_port") as three,
            service("crud_svc", config, "crud_port") as crud,
        ):
            for port in (one, two, three):
                load(port, "append", 2000)
            for clients in CLIENTS:
                found: dict[str, list[float]] = {"one": [], "three": [], "two and CRUD": []}
                for _ in range(rounds):
                    found["one"].append(load(one, "append", requests, clients)["rate"])
                    found["three"].append(together([(port, "append") for port in (one, two, three)], requests, clients))
                    ports = [(one, "append"), (two, "append"), (crud, "create")]
                    found["two and CRUD"].append(together(ports, requests, clients))
                report(clients, {name: statistics.median(rates) for name, rates in found.items()})
    say("goal: three at least 0.9 of one (a CRUD write costs more by itself: it is an entity)")


def report(clients: int, rates: dict[str, float]) -> None:
    """A table for one number of clients."""
    say(row(f"processes, {clients} clients", "appends/s together", "against one"))
    say("|---|---|---|")
    for name, rate in rates.items():
        say(row(name, f"{rate:.0f}", f"{rate / rates['one']:.2f}"))


def together(ports: list[tuple[int, str]], requests: int, clients: int) -> float:
    """The sum of the rates."""
    rates: list[float] = []

    def one(port: int, kind: str) -> None:
        rates.append(load(port, kind, requests // len(ports), clients // len(ports))["rate"])

    threads = [threading.Thread(target=one, args=where) for where in ports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)
