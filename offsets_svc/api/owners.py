"""Dead letters, as the owner of a partition sets them aside and works them off: every call is fenced by its epoch."""

from __future__ import annotations

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from eskit.errors import Fenced, InvalidRequest
from eskit.letters import Changed, Done, FailedAgain, SetAside, Unpark
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from offsets_svc.api.resources import DATABASE, body_of, consumer_of
from offsets_svc.store import letters


class Unparked(msgspec.Struct):
    """Whether the key flows again; false: letters of it are left."""

    unparked: bool


_aside = msgspec.json.Decoder(SetAside)
_done = msgspec.json.Decoder(Done)
_failed = msgspec.json.Decoder(FailedAgain)
_unpark = msgspec.json.Decoder(Unpark)


async def set_aside(request: web.Request) -> Answer:
    """Set records aside. One that is there already stays as it is, but for a new failure: so it may be repeated."""
    queries.parse(request, queries.NoQuery)
    consumer, given = consumer_of(request), await body_of(request, _aside)
    seen: set[int] = set()
    for index, letter in enumerate(given.letters):
        if letter.offset in seen:
            message = f"letters[{index}] is a second one of offset {letter.offset}"
            raise InvalidRequest(message, field=f"letters[{index}].offset")
        seen.add(letter.offset)
    return bodies.json_response(Changed(await letters.add(request.app[DATABASE], consumer, given.owner, given.letters)))


async def done(request: web.Request) -> Answer:
    """Forget a letter that has had its effect."""
    queries.parse(request, queries.NoQuery)
    consumer, given = consumer_of(request), await body_of(request, _done)
    await letters.done(request.app[DATABASE], consumer, given)
    return bodies.json_response(Changed(1))


async def failed(request: web.Request) -> Answer:
    """A letter was tried again and has failed: its new cause; its key goes on waiting."""
    queries.parse(request, queries.NoQuery)
    consumer, given = consumer_of(request), await body_of(request, _failed)
    await letters.failed(request.app[DATABASE], consumer, given)
    return bodies.json_response(Changed(1))


async def unpark(request: web.Request) -> Answer:
    """Let a key go, unless letters of it are left."""
    queries.parse(request, queries.NoQuery)
    consumer, given = consumer_of(request), await body_of(request, _unpark)
    return bodies.json_response(Unparked(await letters.unpark(request.app[DATABASE], consumer, given)))


def _operation(name: str, handler: Handler, kind: type, answer: type, text: str) -> Operation:
    path = "/v1/consumers/{consumer}/dead-letters" + name
    return Operation(
        method="POST",
        path=path,
        handler=handler,
        query=queries.NoQuery,
        body=Content("As the owner says.", {JSON: kind}),
        answers={200: Content(text, {JSON: answer})},
        errors=(Fenced,),
    )


OPERATIONS = (
    _operation("", set_aside, SetAside, Changed, "How many letters were given."),
    _operation("/done", done, Done, Changed, "It is forgotten."),
    _operation("/failed", failed, FailedAgain, Changed, "It waits."),
    _operation("/unpark", unpark, Unpark, Unparked, "Whether the key flows again."),
)
