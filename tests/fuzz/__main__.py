"""`python -m tests.fuzz --requests 100000`: fuzz an event store on a PostgreSQL of its own, then look at its log."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter

import psycopg

from eskit.errors import every_error
from tests.fuzz.client import Answer, Client
from tests.fuzz.requests import Maker, Request
from tests.services import ServiceProcess, config_for, processes
from tests.stack import local_postgres, migrate

CLIENTS = 16
SECRETS = (b"psycopg", b"Traceback", b"SELECT ", b"INSERT ", b"append_batch", b"postgresql://", b".py", b"aiohttp")
CODES = {error.code for error in every_error()}
WHOLE = """
SELECT (SELECT count(*) = coalesce(max(position), 0) FROM events),
       (SELECT coalesce(bool_and(n = last), true) FROM (
            SELECT count(*) AS n, max(version) AS last FROM events GROUP BY entity_type, originator_id) AS streams),
       (SELECT count(*) FROM outbox) = (SELECT count(*) FROM events)"""


class Fault(Exception):
    """What must not be."""


def look_at(request: Request, answer: Answer) -> None:
    """Raises Fault for an answer that must not be."""
    if answer.status >= 500:
        raise Fault(f"{answer.status} {answer.body[:500]!r} to {request.data[:500]!r}")
    if answer.status >= 400 and not request.head_only:
        if answer.media_type != "application/problem+json":
            raise Fault(f"{answer.status} {answer.media_type} to {request.data[:500]!r}")
        if json.loads(answer.body)["code"] not in CODES:
            raise Fault(f"unknown code {answer.body[:500]!r}")
    constant = answer.media_type.startswith(("text/html", "text/plain")) or b'"openapi"' in answer.body[:20]
    for secret in SECRETS:
        if secret in answer.body and secret not in request.data and not constant and answer.status >= 400:
            raise Fault(f"{secret!r} in {answer.body[:500]!r} to {request.data[:500]!r}")


async def fuzz(port: int, total: int, seed: int) -> tuple[Counter[int], set[str], set[str]]:
    """Send so many; statuses, and the event ids of good appends that were stored, and that were not."""
    maker, statuses = Maker(seed), Counter[int]()
    stored, refused = set[str](), set[str]()
    left = total
    started = time.monotonic()

    async def work() -> None:
        nonlocal left
        client = Client(port)
        while left > 0:
            left -= 1
            request = maker.next()
            answer = await client.send(request)
            look_at(request, answer)
            statuses[answer.status] += 1
            if request.event_id:
                (stored if answer.status == 201 else refused).add(request.event_id)
            if left and left % 5000 == 0:
                say(f"{total - left} of {total} requests, {time.monotonic() - started:.0f} s")
        client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(work())
    return statuses, stored, refused


def look_at_log(url: str, stored: set[str], refused: set[str]) -> int:
    """How many events it has; raises Fault."""
    with psycopg.connect(url, options="-c search_path=eventstore") as connection:
        if connection.execute(WHOLE).fetchone() != (True, True, True):
            raise Fault("positions, versions or outbox have holes")
        there = [str(row[0]) for row in connection.execute("SELECT event_id FROM events")]
    if stored - set(there) or len(there) != len(set(there)):
        raise Fault(f"{len(stored - set(there))} events that were acknowledged are missing")
    if refused & set(there):
        raise Fault(f"{len(refused & set(there))} events that were refused are there")
    return len(there)


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"fuzz: {line}\n")


def run(total: int, seed: int) -> str:
    """All of it, in a sentence; raises Fault."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        service = ServiceProcess("eventstore_svc", config_for(postgres.url), "eventstore_port").start()
        with processes(service):
            asyncio.run(service.ready())
            try:
                statuses, stored, refused = asyncio.run(fuzz(service.port, total, seed))
            except* Fault as faults:
                raise Fault(f"{faults.exceptions[0]}; its log ends with {service.output()[-2000:]}") from faults
            code = service.stop()
            if code != 0 or '"error"' in service.output().replace('"error":', ""):
                raise Fault(f"the service ended with {code}: {service.output()[-2000:]}")
        events = look_at_log(postgres.url, stored, refused)
    shown = ", ".join(f"{status or 'closed'}: {count}" for status, count in sorted(statuses.items()))
    return f"seed {seed}: {total} requests, {shown}; {events} events in the log, none missing, none too many"


def main() -> int:
    """0, or 1 with the fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="how many (default 20000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same requests (default 1)")
    arguments = parser.parse_args()
    try:
        say(run(arguments.requests, arguments.seed))
    except Fault as fault:
        say(str(fault))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
