"""What the stack tells when it is up: where everything is, what is ready, what to try first."""

from psycopg.conninfo import conninfo_to_dict

from infra.local.service import ServiceProcess
from infra.local.services import Addresses
from infra.local.terminal import shout, write

EVENT = '{"originator": {"id": "ada"}, "event_type": "User.Created", "payload": {"name": "Ada"}}'


def show(running: list[ServiceProcess], addresses: Addresses, took_s: float) -> None:
    """Print the table, and loudly what is not ready."""
    write("")
    write(f"  {'service':<12} {'address':<28} ready")
    late = []
    for process in running:
        ready, said = process.readiness()
        write(f"  {process.spec.name:<12} {process.spec.url:<28} {'yes' if ready else 'NO'}")
        if not ready:
            late.append((process.spec, said))
    database = conninfo_to_dict(addresses.database_url)
    where = f"{database.get('host', 'local socket')}:{database.get('port', 5432)}"
    write(f"  {'postgres':<12} {where:<28} yes")
    write(f"  {'kafka':<12} {addresses.kafka_bootstrap:<28} yes")
    write("")
    for spec, said in late:
        shout(f"{spec.name} is not ready: {said or 'no answer'}")
    urls = {process.spec.name: process.spec.url for process in running}
    if not late and "eventstore" in urls:
        _invite(urls["eventstore"], took_s)


def _invite(eventstore: str, took_s: float) -> None:
    write(f"  Ready in {took_s:.0f} s. Append an event, then read the log:")
    write("")
    write(f"    curl -s {eventstore}/v1/events -H 'content-type: application/json' -d '{EVENT}'")
    write(f"    curl -s {eventstore}/v1/log")
    write("")
    write('  All calls: docs/index.md    Other programs: eval "$(make env)"    Stop: Ctrl-C')
    write("")
