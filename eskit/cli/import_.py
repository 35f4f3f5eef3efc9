"""`eskit import`: the lines of an export into this log. What is there already stays; so it may be run again."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Never

from tqdm import tqdm

from eskit import settings
from eskit.cli.export_lines import EntityLine, EventLine
from eskit.cli.import_entities import Existing, Fate, Outcome, import_entities
from eskit.cli.import_events import EventImport
from eskit.cli.import_file import FileLine, pieces, size_bytes
from eskit.cli.saying import say
from eskit.cli.services import add_services
from eskit.client.eventstore import EventStore
from eskit.client.http import Connections
from eskit.errors import EskitError, SettingsError, Unavailable
from eskit.settings import Settings

SHOWN = 20
DESCRIPTION = """\
Read what `eskit export` has written, entities or events, and store it.

Entities are created, each with the event id that its line gives: a second import of the same file changes nothing, and
one that was broken off is run again. An entity that exists is refused, unless --existing says otherwise.

Events (of --history) keep their ids, versions, metadata and times of occurrence; they get positions of this log.

Status 0: all of it is there. 1: some lines were refused, or something is away."""
EXAMPLE = "example:\n  eskit import users.ndjson"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "import",
        help="store the lines of an export; what is there already stays as it is",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", metavar="FILE", help="the export; - is the standard input")
    command.add_argument("--existing", choices=[one.value for one in Existing], default=Existing.REFUSE.value,
                         help="what to do with an entity that exists or was deleted (%(default)s)")  # fmt: skip
    add_services(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import a file; 0, or 1 where a line was refused."""
    config = settings.load()
    with ExitStack() as stack:
        file: BinaryIO = sys.stdin.buffer
        if arguments.file != "-":
            try:
                file = stack.enter_context(Path(arguments.file).open("rb"))
            except OSError as error:
                raise SettingsError(f"{arguments.file} cannot be read: {error.strerror}") from error
        try:
            return asyncio.run(_import(arguments, file, config))
        except KeyboardInterrupt:
            say("broken off; run it again, what is stored is not stored twice")
            return 130
        except Unavailable as error:
            say(f"{error.detail}; run it again, what is stored is not stored twice")
            return 1


async def _import(arguments: argparse.Namespace, file: BinaryIO, config: Settings) -> int:
    async with (
        Connections(arguments.crud_url or config.crud_url, patience_s=arguments.patience) as crud,
        EventStore(arguments.eventstore_url or config.eventstore_url, patience_s=arguments.patience) as store,
    ):
        with tqdm(total=size_bytes(file), unit="B", unit_scale=True, disable=None) as bar:
            report, events, existing = _Report(bar), EventImport(store), Existing(arguments.existing)
            for piece in pieces(file):
                report.add(piece, await _entities(crud, piece, existing) | await _events(events, piece))
                bar.update(sum(line.size_bytes for line in piece))
    report.end()
    return 1 if report.refused else 0


async def _entities(crud: Connections, piece: list[FileLine], existing: Existing) -> dict[int, Outcome]:
    found = {line.number: line.content for line in piece if isinstance(line.content, EntityLine)}
    outcomes = await import_entities(crud, list(found.values()), existing) if found else []
    return dict(zip(found, outcomes, strict=True))


async def _events(events: EventImport, piece: list[FileLine]) -> dict[int, Outcome]:
    found = {line.number: line.content for line in piece if isinstance(line.content, EventLine)}
    return dict(zip(found, await events.store(list(found.values())), strict=True))


class _Report:
    """Counts what became of the lines; says the first that were refused."""

    def __init__(self, bar: tqdm[Never]) -> None:
        self._bar = bar
        self._fates: Counter[Fate] = Counter()
        self.refused = 0

    def add(self, piece: list[FileLine], outcomes: dict[int, Outcome]) -> None:
        """Of the lines of a piece; those that are wrong have no outcome."""
        for line in piece:
            outcome = line.content if isinstance(line.content, EskitError) else outcomes[line.number]
            if isinstance(outcome, Fate):
                self._fates[outcome] += 1
            else:
                self._refuse(line.number, outcome)

    def _refuse(self, number: int, error: EskitError) -> None:
        self.refused += 1
        if self.refused <= SHOWN:
            self._bar.clear()
            say(f"line {number}: {error.detail} ({error.code})")

    def end(self) -> None:
        """All of them."""
        if self.refused > SHOWN:
            say(f"and {self.refused - SHOWN} more were refused")
        counts = [f"{count} {fate.value}" for fate in Fate if (count := self._fates[fate])]
        counts += [f"{self.refused} refused"] if self.refused else []
        nothing = "" if self._fates[Fate.STORED] else "nothing has changed: "
        say(nothing + (", ".join(counts) or "no lines"))
