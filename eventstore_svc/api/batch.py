"""`POST /v1/events/batch`: many independent appends in one call, a result for each, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from aiohttp import web
from msgspec import Meta, Raw

from eskit import logs
from eskit.errors import EskitError, InvalidRequest, Overloaded, TooLarge
from eskit.settings import Settings
from eskit.web import bodies
from eskit.web.context import given_in_headers, given_request_id
from eskit.web.lines import Line, lines
from eskit.web.operations import JSON, NDJSON, Content, Operation
from eskit.web.problems import problem
from eskit.web.streamed import Writer, streamed
from eventstore_svc.api.append import EXAMPLE, METADATA_HEADERS, AppendedEvent, appended_events
from eventstore_svc.api.append_requests import Cause, EventIn, EventsIn, parse_append
from eventstore_svc.api.repeated_keys import refuse_two_lists
from eventstore_svc.api.resources import STORE
from eventstore_svc.store import Appended, EventStore, NewEvent, Submitted

log = logs.get(__name__)

# Pieces of a stream that may be on their way: one is parsed while others are stored and answered.
PIECES = 2


EVENT_OR_EVENTS = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("EventIn", "EventsIn")]}


class AppendsIn(msgspec.Struct, forbid_unknown_fields=True):
    """Independent appends: each is stored or refused by itself."""

    appends: Annotated[
        list[Annotated[Raw, Meta(extra_json_schema=EVENT_OR_EVENTS)]],
        Meta(extra_json_schema={"minItems": 1, "maxItems": Settings().max_appends}),
    ]


class Result(msgspec.Struct, omit_defaults=True):
    """What became of one append: `events` as `POST /v1/events` answers them, or the `problem`."""

    status: int
    line: int | None = None
    events: list[AppendedEvent] | None = None
    problem: dict[str, Any] | None = None


class BatchAnswer(msgspec.Struct):
    """The results in the order of the request."""

    results: list[Result]


class _Begun(NamedTuple):
    """An append on its way, or why it never was."""

    line: int | None
    events: Sequence[NewEvent]
    submitted: Submitted | EskitError


_appends = msgspec.json.Decoder(AppendsIn)
_encoder = msgspec.json.Encoder()
_Piece = list[_Begun]
_Pieces = asyncio.Queue[_Piece | EskitError | None]


async def append_batch(request: web.Request) -> web.StreamResponse:
    """Store many independent appends: one that is refused fails alone. They are stored in the order of the request.

    As NDJSON each line is an append, and its result is a line of the answer, sent while the body still arrives: read
    while you send. There is no limit on the number of lines, only on the length of each. A result without `line` is the
    last one, of a body that did not come to its end.
    """
    settings, store = request.app[bodies.SETTINGS], request.app[STORE]
    store.require_room()
    if bodies.content_type(request) == NDJSON:
        return await _stream(request)
    body = await bodies.read(request, JSON, NDJSON)
    parts = bodies.decode(body, _appends).appends
    if not 1 <= len(parts) <= settings.max_appends:
        message = f"appends must have 1 to {settings.max_appends} entries, not {len(parts)} (ESKIT_MAX_APPENDS)"
        raise InvalidRequest(message, field="appends", limit=settings.max_appends)
    entries = [bytes(part) for part in parts]
    refuse_two_lists(body, entries)
    begun = await _begun(store, [Line(0, entry) for entry in entries], _cause(request), settings)
    results = await _results(store, begun)
    for result in results:
        result.line = None
    return bodies.json_response(BatchAnswer(results))


def _cause(request: web.Request) -> Cause:
    return Cause(given_in_headers(request), given_request_id(request))


async def _begun(store: EventStore, given: Sequence[Line], cause: Cause, settings: Settings) -> _Piece:
    """Begin appends one after the other. A queue that is full by now is waited for: half a batch helps nobody."""
    piece: _Piece = []
    for line in given:
        await store.room()
        piece.append(_begin(store, line, cause, settings))
    return piece


def _begin(store: EventStore, line: Line, cause: Cause, settings: Settings) -> _Begun:
    if line.content is None:
        return _Begun(line.number, (), bodies.too_large("The line", settings))
    try:
        events = parse_append(line.content, cause, settings)
        return _Begun(line.number, events, store.submit(events))
    except EskitError as error:
        return _Begun(line.number, (), error)
    except Exception:
        log.exception("append failed", line=line.number)
        return _Begun(line.number, (), EskitError("Something went wrong on our side"))


async def _results(store: EventStore, begun: Sequence[_Begun]) -> list[Result]:
    way = [(one.events, one.submitted) for one in begun if not isinstance(one.submitted, EskitError)]
    settled = iter(await store.settle(way))
    return [
        _result(one.line, one.submitted if isinstance(one.submitted, EskitError) else next(settled)) for one in begun
    ]


def _result(line: int | None, outcome: Appended | EskitError) -> Result:
    if isinstance(outcome, EskitError):
        return Result(status=outcome.status, line=line, problem=problem(outcome))
    return Result(status=201 if outcome.new else 200, line=line, events=appended_events(outcome))


async def _stream(request: web.Request) -> web.StreamResponse:
    """Parse, store and answer at the same time, with a bounded number of appends on their way."""
    store, cause = request.app[STORE], _cause(request)
    pieces: _Pieces = asyncio.Queue(PIECES)
    async with streamed(request, NDJSON) as writer:
        reading = asyncio.create_task(_read(request, store, cause, pieces))
        try:
            await _answer(writer, store, pieces)
        finally:
            # What was submitted goes on: an append is never left half way, whoever waits for it.
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    return writer.response


async def _read(request: web.Request, store: EventStore, cause: Cause, pieces: _Pieces) -> None:
    settings = request.app[bodies.SETTINGS]
    try:
        async for found in lines(request, settings.max_body_bytes, settings.body_timeout_s):
            await pieces.put(await _begun(store, found, cause, settings))
    except EskitError as error:
        await pieces.put(error)
    except Exception:
        log.exception("lines cannot be read")
        await pieces.put(EskitError("Something went wrong on our side"))  # or nobody would end the answer
    else:
        await pieces.put(None)


async def _answer(writer: Writer, store: EventStore, pieces: _Pieces) -> None:
    while (piece := await pieces.get()) is not None:
        if isinstance(piece, EskitError):
            writer.response.force_close()
            await writer.write(_encoder.encode(Result(status=piece.status, problem=problem(piece))) + b"\n")
            return
        await writer.write(_encoder.encode_lines(await _results(store, piece)))


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/events/batch",
        handler=append_batch,
        headers=METADATA_HEADERS,
        body=Content(
            "Appends, each as `POST /v1/events` takes it.",
            {JSON: AppendsIn, NDJSON: (EventIn, EventsIn)},
            example={"appends": [EXAMPLE]},
        ),
        answers={200: Content("A result for each append, in order.", {JSON: BatchAnswer, NDJSON: Result})},
        errors=(TooLarge, Overloaded),
    ),
)
