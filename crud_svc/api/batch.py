"""`POST /v1/entities:batch`: many writes as lines, a result for each, in order; or all of them in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from crud_svc.api.batch_lines import Beside, of_line
from crud_svc.api.batch_shapes import KINDS
from crud_svc.api.batch_stream import LineResult, parsed, result, stream
from crud_svc.api.resources import BATCH, STORE
from crud_svc.entities.batch_atomic import Refusal, together
from crud_svc.entities.course import MOST_BYTES
from crud_svc.entities.writes import Write
from eskit.errors import (
    AlreadyExists,
    Deleted,
    EskitError,
    EventIdReused,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PatchFailed,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    UnsupportedMediaType,
    VersionConflict,
)
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.context import CAUSES, given_in_headers, given_request_id
from eskit.web.lines import Splitter
from eskit.web.operations import NDJSON, Content, Operation

MAX_ATOMIC = 100

_encoder = msgspec.json.Encoder()


class BatchQuery(msgspec.Struct, kw_only=True):
    """How to do them."""

    atomic: Annotated[bool, Meta(description=f"All lines in one commit, or none; {MAX_ATOMIC} at most.")] = False


async def write_batch(request: web.Request) -> web.StreamResponse:
    """Many writes as lines; each has its own preconditions and its own result, a line of the answer, in order.

    Results are sent while lines still arrive: read while you send. There is no limit on the number of lines, only on
    the length of each. Lines of one entity are done in their order. A result without `line` is the last one, of a body
    that did not come to its end. With `atomic=true` all lines are stored in one commit or none is: the answer is then
    one problem that names the `line`.
    """
    query = queries.parse(request, BatchQuery)
    request.app[STORE].require_room()
    beside = Beside(given_in_headers(request), given_request_id(request))
    if query.atomic:
        return await _atomic(request, beside)
    given = bodies.content_type(request)
    if given not in {"", NDJSON}:
        raise UnsupportedMediaType(f"Content-Type must be {NDJSON}, not {given}", field="Content-Type")
    return await stream(request, beside)


async def _atomic(request: web.Request, beside: Beside) -> Answer:
    settings = request.app[bodies.SETTINGS]
    body = await bodies.read(request, NDJSON)
    splitter = Splitter(settings.max_body_bytes)
    found = [*splitter.feed(body), *splitter.end()]
    if not 1 <= len(found) <= MAX_ATOMIC:
        message = f"An atomic batch has 1 to {MAX_ATOMIC} lines, not {len(found)}"
        raise InvalidRequest(message, field="body", limit=MAX_ATOMIC)
    writes: list[Write] = []
    held_bytes = 0
    for line in found:
        write = (await parsed(request, line, beside)).write
        if isinstance(write, EskitError):
            raise of_line(write, line.number)
        held_bytes += write.held_bytes
        if held_bytes > MOST_BYTES:
            message = f"The documents that are to be restored have more than {MOST_BYTES} bytes together"
            raise TooLarge(message, limit=MOST_BYTES, line=line.number)
        _require_like(write, writes, line.number)
        writes.append(write)
    outcome = await together(request.app[BATCH], writes)
    if isinstance(outcome, Refusal):
        raise of_line(outcome.error, found[outcome.number].number) from outcome.error
    results = [result(line.number, write, done) for line, write, done in zip(found, writes, outcome, strict=True)]
    return Answer(_encoder.encode_lines(results), content_type=NDJSON)


def _require_like(write: Write, earlier: Sequence[Write], number: int) -> None:
    """No key twice; and all lines have one or none has: by some alone a repeat cannot be told from a part."""
    wrong = None
    if earlier and write.about.id_is_given != earlier[0].about.id_is_given:
        wrong = "give every line of an atomic batch an idempotency_key, or none"
    elif any(write.about.event_id == other.about.event_id for other in earlier):
        wrong = "idempotency_key is that of an earlier line"
    if wrong:
        raise InvalidRequest(wrong, field="idempotency_key", line=number)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/entities:batch",
        handler=write_batch,
        query=BatchQuery,
        headers={cause.header: f"Metadata `{cause.key}` of the events." for cause in CAUSES},
        body=Content("Writes, one a line.", {NDJSON: KINDS}),
        answers={200: Content("A result for each line, in order.", {NDJSON: LineResult})},
        errors=(
            NotFound,
            Deleted,
            AlreadyExists,
            PreconditionFailed,
            PreconditionRequired,
            PatchFailed,
            VersionConflict,
            EventIdReused,
            TooLarge,
            OutcomeUnknown,
            Overloaded,
        ),
    ),
)
