"""`eskit export`: all entities of a type as they were at one position of the log, or all its events, as lines."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import BinaryIO

from msgspec import Raw
from tqdm import tqdm

from eskit import names, settings
from eskit.cli.export_lines import EntityLine, event_line, written
from eskit.cli.saying import say
from eskit.cli.services import add_services
from eskit.client.event_types import Wanted
from eskit.client.eventstore import EventStore
from eskit.client.http import Answer, Connections, segment
from eskit.errors import Deleted, EskitError, NotFound
from eskit.settings import Settings

PAGE = 1000
# Documents that are asked for at once, and so the most that are in memory.
AHEAD = 16
DESCRIPTION = """\
Write all entities of a type to the standard output: one JSON object a line, with type, id, version and document. All
are as they were when the log ended at one position, by default its present end. Deleted ones are left out. Numbers
keep their spelling.

With --history, write every event of the type instead, in the order of the log, as CloudEvents (JSON format), those that
others have put into the streams among them.

`eskit import` reads either. An export that fails ends with status 1: the lines so far are not all."""
EXAMPLE = "example:\n  eskit export User > users.ndjson"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "export",
        help="write all entities of a type, or their whole history, as lines of JSON",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("type", metavar="TYPE", help="an entity type, like com.acme.User")
    command.add_argument("--history", action="store_true", help="all events, not the present documents")
    command.add_argument("--position", type=int, metavar="N", help="as the log was at this position")
    add_services(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export a type; 0, or 1 where it is not complete."""
    kind = names.entity_type(arguments.type, "TYPE")
    config = settings.load()
    try:
        asyncio.run(_export(arguments, kind, config))
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("broken off: what is written is not all")
        return 130
    except BrokenPipeError:
        # Whoever reads has had enough. Python would say so once more when it closes the output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EskitError as error:
        say(f"what is written is not all: {error.detail}")
        return 1
    return 0


async def _export(arguments: argparse.Namespace, kind: str, config: Settings) -> None:
    async with (
        EventStore(arguments.eventstore_url or config.eventstore_url, patience_s=arguments.patience) as store,
        Connections(arguments.crud_url or config.crud_url, patience_s=arguments.patience, connections=AHEAD) as crud,
    ):
        position = (await store.head()).position
        if arguments.position is not None:
            position = min(position, arguments.position)
        what = "event" if arguments.history else "entity"
        found = _history(store, kind, position, config) if arguments.history else _states(store, crud, kind, position)
        count = await _write(found, sys.stdout.buffer, what)
    ending = {"event": "events", "entity": "entities"}[what] if count != 1 else what
    say(f"{count} {ending} of {kind}, as the log was at position {position}")


async def _write(lines: AsyncGenerator[bytes, None], out: BinaryIO, what: str) -> int:
    count = 0
    with tqdm(unit=f" {what}", disable=None) as bar:
        async with aclosing(lines):
            async for line in lines:
                out.write(line)
                count += 1
                bar.update()
    out.flush()
    return count


async def _history(store: EventStore, kind: str, position: int, config: Settings) -> AsyncGenerator[bytes, None]:
    async with aclosing(store.events(wanted=Wanted(entity_type=kind))) as events:
        async for event in events:
            if event.position > position:
                return
            yield written(event_line(event, config.log))


async def _states(store: EventStore, crud: Connections, kind: str, position: int) -> AsyncGenerator[bytes, None]:
    """In the order of the ids. Some documents are read ahead; that they come in order costs nothing."""
    reading: deque[asyncio.Task[bytes | None]] = deque()
    try:
        async with aclosing(_ids(store, kind, position)) as ids:
            async for ident in ids:
                reading.append(asyncio.create_task(_state(crud, kind, ident, position)))
                if len(reading) == AHEAD and (line := await reading.popleft()) is not None:
                    yield line
        while reading:
            if (line := await reading.popleft()) is not None:
                yield line
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _ids(store: EventStore, kind: str, position: int) -> AsyncGenerator[str, None]:
    cursor: str | None = None
    while True:
        page = await store.streams(kind, cursor=cursor, limit=PAGE)
        for stream in page.streams:
            if stream.first_position <= position:
                yield stream.id
        cursor = page.next
        if cursor is None:
            return


async def _state(crud: Connections, kind: str, ident: str, position: int) -> bytes | None:
    """The line of an entity; None where it did not exist (any more)."""
    path = f"/v1/entities/{segment(kind)}/{segment(ident)}"
    try:
        # Most have not changed since, and what is present costs less to read than what is past.
        answer = await crud.call("GET", path)
        if _position(answer) > position:
            answer = await crud.call("GET", f"{path}?position={position}")
    except (NotFound, Deleted):
        try:
            answer = await crud.call("GET", f"{path}?position={position}")
        except (NotFound, Deleted):
            return None
    version = int(answer.headers["ETag"].strip('"'))
    line = EntityLine(type=kind, id=ident, version=version, position=_position(answer), document=Raw(answer.body))
    return written(line)


def _position(answer: Answer) -> int:
    return int(answer.headers["Eskit-Position"])
