"""Sends a maker's requests to a service of its own, looks at every answer, and at how the service ends."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from eskit.errors import every_error
from tests.fuzz.client import Answer, Client
from tests.fuzz.ledger import Fault
from tests.fuzz.requests import Maker, Request
from tests.services import ServiceProcess, config_for, processes
from tests.stack import local_postgres, migrate

Look = Callable[[Request, Answer], None]

CLIENTS = 16
SECRETS = (b"psycopg", b"Traceback", b"SELECT ", b"INSERT ", b"append_batch", b"postgresql://", b".py", b"aiohttp")
# What lists say where nothing keeps their view: that needs a Kafka, and is no fault.
NO_VIEW = b"The entity view is not there"
CODES = {error.code for error in every_error()}


def look_at(request: Request, answer: Answer) -> None:
    """Raises Fault for an answer that must not be."""
    if answer.status >= 500 and NO_VIEW not in answer.body:
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


async def fuzz(port: int, total: int, maker: Maker, look: Look) -> Counter[int]:
    """Send so many; statuses. Raises Fault, as `look` may."""
    statuses = Counter[int]()
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
            look(request, answer)
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


class Service:
    """A service in a process of its own, on a PostgreSQL of its own."""

    def __init__(self, module: str, port_setting: str) -> None:
        """Started by `with`."""
        self._module, self._port_setting = module, port_setting
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        postgres = self._stack.enter_context(local_postgres())
        migrate(postgres.url)
        self.config = config_for(postgres.url)
        self.process = ServiceProcess(self._module, self.config, self._port_setting).start()
        self._stack.enter_context(processes(self.process))
        asyncio.run(self.process.ready())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def end(self) -> None:
        """Stop it; raises Fault where it has told of errors."""
        code = self.process.stop()
        if code != 0 or '"error"' in self.process.output().replace('"error":', ""):
            raise Fault(f"the service ended with {code}: {self.process.output()[-2000:]}")


def send(service: Service, total: int, maker: Maker, look: Look) -> Counter[int]:
    """Send so many; statuses. Raises Fault with the end of the service's log."""
    try:
        return asyncio.run(fuzz(service.process.port, total, maker, look))
    except* Fault as faults:
        raise Fault(f"{faults.exceptions[0]}; its log ends with {service.process.output()[-2000:]}") from faults
