"""`python -m tests.fuzz --requests 100000`: fuzz an event store on a PostgreSQL of its own, then look at its log."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter

from eskit.errors import every_error
from tests.fuzz.client import Answer, Client
from tests.fuzz.ledger import Fault, Ledger, look_at_log_read
from tests.fuzz.requests import Maker, Request
from tests.services import ServiceProcess, config_for, processes
from tests.stack import local_postgres, migrate

CLIENTS = 16
SECRETS = (b"psycopg", b"Traceback", b"SELECT ", b"INSERT ", b"append_batch", b"postgresql://", b".py", b"aiohttp")
CODES = {error.code for error in every_error()}


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


async def fuzz(port: int, total: int, seed: int, ledger: Ledger) -> Counter[int]:
    """Send so many; statuses. Raises Fault."""
    maker, statuses = Maker(seed), Counter[int]()
    left = total
    started = time.monotonic()

    async def work() -> None:
        nonlocal left
        client = Client(port)
        while left > 0:
            left -= 1
            request = maker.next()
            try:
                answer = await client.send(request)
            except TimeoutError:
                raise Fault(f"no answer to {request.data[:500]!r}") from None
            look_at(request, answer)
            look_at_log_read(request, answer)
            ledger.note(request, answer)
            statuses[answer.status] += 1
            if left and left % 5000 == 0:
                say(f"{total - left} of {total} requests, {time.monotonic() - started:.0f} s")
        client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(work())
    return statuses


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
            ledger = Ledger()
            try:
                statuses = asyncio.run(fuzz(service.port, total, seed, ledger))
            except* Fault as faults:
                raise Fault(f"{faults.exceptions[0]}; its log ends with {service.output()[-2000:]}") from faults
            code = service.stop()
            if code != 0 or '"error"' in service.output().replace('"error":', ""):
                raise Fault(f"the service ended with {code}: {service.output()[-2000:]}")
        events = ledger.compare(postgres.url)
    shown = ", ".join(f"{status or 'closed'}: {count}" for status, count in sorted(statuses.items()))
    told = f"{events} events in the log, {ledger.acknowledged} of them acknowledged, none of these missing or changed"
    return f"seed {seed}: {total} requests, {shown}; {told}, none there that was refused"


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
