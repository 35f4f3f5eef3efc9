"""`python -m tests.benchmarks.designs.variant NAME`: the event store service with one thing done another way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit import lifecycle
from eventstore_svc.api import append, append_requests
from eventstore_svc.app import eventstore_app
from eventstore_svc.store import Appended
from eventstore_svc.store.batcher import Batcher

encode = msgspec.json.Encoder().encode


def today() -> None:
    """As it is."""


def asyncio_loop() -> None:
    """Python's own event loop instead of uvloop."""
    lifecycle._loop_factory = lambda: None


def objects() -> None:
    """Payloads become objects of Python and JSON again (and lose the bytes that were sent)."""

    class EventObjects(append_requests.EventIn, forbid_unknown_fields=True):
        payload: Annotated[dict[str, Any], Meta()]  # type: ignore[assignment]

    append_requests._event = msgspec.json.Decoder(EventObjects)
    append_requests._payload = lambda sent, *_: encode(sent)


def _answered(appended: Appended) -> dict[str, Any]:
    return {"events": [{"event_id": str(e.event_id), "originator": {"id": e.originator_id, "version": e.version},
                        "position": e.position} for e in appended.events]}  # fmt: skip


def json_response() -> None:
    """aiohttp's way to answer with an object."""
    append._answer = lambda appended: web.json_response(_answered(appended), status=201)  # type: ignore[assignment, return-value]


def web_response() -> None:
    """The same bytes as ours, in aiohttp's class for answers."""

    def answer(appended: Appended) -> web.Response:
        body = encode(append.AppendAnswer(append.appended_events(appended)))
        return web.Response(body=body, status=201, content_type="application/json")

    append._answer = answer  # type: ignore[assignment]


def wait_1_ms() -> None:
    """Before each batch, a millisecond for more appends to come."""

    async def run(self: Batcher) -> None:
        while not self.stopping:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(0.001)
            while batch := self._take():
                await self._store(batch)
                await asyncio.sleep(0.001)

    Batcher.run = run  # type: ignore[method-assign]


VARIANTS: dict[str, Callable[[], None]] = {
    "today": today,
    "asyncio": asyncio_loop,
    "objects": objects,
    "web.json_response": json_response,
    "web.Response": web_response,
    "wait 1 ms": wait_1_ms,
}

if __name__ == "__main__":
    VARIANTS[sys.argv.pop()]()
    sys.exit(lifecycle.run("eventstore", "The event store, varied.", "eventstore_port", eventstore_app))
