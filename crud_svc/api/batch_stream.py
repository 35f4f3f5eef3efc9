"""A batch as it arrives: lines are read, done and answered at the same time, a bounded number of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from crud_svc.api.batch_lines import Beside, of_line, parse_line
from crud_svc.api.resources import BATCH, ENTITIES
from crud_svc.documents.state import CREATED, DELETED
from crud_svc.entities.batch import Batch
from crud_svc.entities.course import MOST_BYTES, Outcome
from crud_svc.entities.target import Target
from crud_svc.entities.writes import Write
from eskit import logs
from eskit.errors import EskitError, TooLarge
from eskit.web import bodies
from eskit.web.lines import Line, lines
from eskit.web.operations import NDJSON
from eskit.web.problems import problem
from eskit.web.streamed import Writer, streamed

log = logs.get(__name__)

# Pieces of a stream that may be on their way: one is read while others are decided, stored and answered.
PIECES = 2


class LineResult(msgspec.Struct, omit_defaults=True):
    """What became of a line: where the entity stands, or the `problem`.

    `status` is that of the same call alone. `stored`: whether this request has stored an event; false where nothing
    would change, and where the line had been stored before under its `idempotency_key`: then this is its first answer.
    """

    status: int
    line: int | None = None
    id: str | None = None
    version: int | None = None
    position: int | None = None
    stored: bool | None = None
    problem: dict[str, Any] | None = None


class Parsed(NamedTuple):
    """A line with its number, and the write that it asks for, or why it asks for none."""

    number: int
    write: Write | EskitError


_Results = asyncio.Task[list[LineResult]]
_encoder = msgspec.json.Encoder()


class _Way:
    """The pieces of one request that are on their way, in order."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._tasks: dict[_Results, set[Target]] = {}
        self.pieces: asyncio.Queue[_Results | EskitError | None] = asyncio.Queue(PIECES)

    async def begin(self, piece: Sequence[Parsed]) -> None:
        """Do the writes of a piece, behind pieces with some of the same entities. Waits while many are on their way."""
        targets = {line.write.target for line in piece if isinstance(line.write, Write)}
        self._tasks = {task: theirs for task, theirs in self._tasks.items() if not task.done()}
        before = [task for task, theirs in self._tasks.items() if not targets.isdisjoint(theirs)]
        task = asyncio.create_task(_results(self._batch, piece, before))
        self._tasks[task] = targets
        await self.pieces.put(task)

    async def end(self) -> None:
        """Begin nothing more. An append that was submitted goes on: none is left half way, whoever waits for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def stream(request: web.Request, beside: Beside) -> web.StreamResponse:
    """Answer the lines of a request as they come."""
    way = _Way(request.app[BATCH])
    async with streamed(request, NDJSON) as writer:
        reading = asyncio.create_task(_read(request, beside, way))
        try:
            await _answer(writer, way)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await way.end()
    return writer.response


async def _read(request: web.Request, beside: Beside, way: _Way) -> None:
    settings = request.app[bodies.SETTINGS]
    try:
        async for found in lines(request, settings.max_body_bytes, settings.body_timeout_s):
            piece: list[Parsed] = []
            for line in found:
                piece.append(await parsed(request, line, beside))
                if sum(one.write.held_bytes for one in piece if isinstance(one.write, Write)) > MOST_BYTES:
                    await way.begin(piece)
                    piece = []
            if piece:
                await way.begin(piece)
    except EskitError as error:
        await way.pieces.put(error)
    except Exception:
        log.exception("lines cannot be read")
        await way.pieces.put(EskitError("Something went wrong on our side"))  # or nobody would end the answer
    else:
        await way.pieces.put(None)


async def _answer(writer: Writer, way: _Way) -> None:
    while (piece := await way.pieces.get()) is not None:
        if isinstance(piece, EskitError):
            writer.response.force_close()
            await writer.write(_encoder.encode(LineResult(status=piece.status, problem=problem(piece))) + b"\n")
            return
        await writer.write(_encoder.encode_lines(await piece))


async def parsed(request: web.Request, line: Line, beside: Beside) -> Parsed:
    """What a line asks for; whatever is wrong with it is wrong with it alone."""
    settings = request.app[bodies.SETTINGS]
    if line.content is None:
        limit = settings.max_body_bytes
        message = f"The line has more than {limit} bytes (ESKIT_MAX_BODY_BYTES)"
        return Parsed(line.number, TooLarge(message, limit=limit))
    try:
        return Parsed(line.number, await parse_line(line.content, beside, settings, request.app[ENTITIES].reader))
    except EskitError as error:
        return Parsed(line.number, error)
    except Exception:
        log.exception("a line cannot be read", line=line.number)
        return Parsed(line.number, EskitError("Something went wrong on our side"))


async def _results(batch: Batch, piece: Sequence[Parsed], before: Sequence[_Results]) -> list[LineResult]:
    if before:
        await asyncio.wait(before)
    writes = [line.write for line in piece if isinstance(line.write, Write)]
    outcomes: Sequence[Outcome]
    try:
        outcomes = await batch.each(writes)
    except EskitError as error:
        outcomes = [error] * len(writes)
    following = iter(outcomes)
    return [
        _refused(line.number, line.write)
        if isinstance(line.write, EskitError)
        else result(line.number, line.write, next(following))
        for line in piece
    ]


def result(number: int, write: Write, outcome: Outcome) -> LineResult:
    """What is answered to a line."""
    if isinstance(outcome, EskitError):
        return _refused(number, outcome)
    status = {CREATED: 201, DELETED: 204}.get(outcome.action or "", 200)
    return LineResult(status, number, write.target.id, outcome.version, outcome.position, outcome.stored)


def _refused(number: int, error: EskitError) -> LineResult:
    return LineResult(error.status, number, problem=problem(of_line(error, number)))
