"""`eskit rebuild`: a view is built anew beside the present one, and takes its place."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import defaultdict

from tqdm import tqdm

from eskit import logs, settings
from eskit.cli.loading import load
from eskit.cli.saying import say
from eskit.consumer.transactions.exchange import Choices, Switched
from eskit.consumer.transactions.rebuild import Pair, Seen, pair, rebuild
from eskit.consumer.transactions.switch import switch
from eskit.errors import SettingsError
from eskit.settings import Settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("rebuild", help="build a view anew beside the present one", description=run.__doc__)
    command.add_argument("consumer", help="MODULE:NAME of a consumer with transaction=Target(…)")
    command.add_argument("--as", dest="name", required=True, help="the copy's name")
    command.add_argument("--schema", help="the copy's schema; default: from its name")
    command.add_argument("--switch", action="store_true", help="then let the copy take the first's place")
    command.add_argument("--yes", action="store_true", help="with --switch: do not ask")
    command.add_argument("--force", action="store_true", help="switch though the copy is different")
    command.add_argument("--expect-different", metavar="TABLE,…", default="", help="tables that may be different")
    command.add_argument("--without", metavar="TABLE.COLUMN,…", default="", help="columns that are not compared")
    command.add_argument("--hold", metavar="SECONDS", type=float, default=Choices().hold_s,
                         help="most that the first is held up by the switch (%(default)g)")  # fmt: skip
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Build a consumer's view anew beside the present one; with --switch, let it take that one's place.

    It may be broken off at any time, and goes on where it stopped. The present view is kept.
    """
    choices = chosen(arguments)
    if arguments.switch and not arguments.yes and not sys.stdin.isatty():
        raise SettingsError("--switch asks before it does so; where nobody can answer, say --yes")
    config = settings.load()
    logs.configure(config, "eskit rebuild")
    schema = arguments.schema or arguments.name.lower().translate(str.maketrans("-.", "__"))
    consumers = pair(load(arguments.consumer), arguments.name, schema)
    asyncio.run(_reach(config, consumers))
    if not arguments.switch:
        say("look at it, then run the same again with --switch")
    elif arguments.yes or _agreed(consumers):
        _tell(asyncio.run(switch(config, consumers, choices)), consumers)
    else:
        say("nothing has changed")
    return 0


def chosen(arguments: argparse.Namespace) -> Choices:
    """What the arguments say of the switch. Raises SettingsError."""
    without: dict[str, list[str]] = defaultdict(list)
    for text in _listed(arguments.without):
        table, dot, column = text.partition(".")
        if not (table and dot and column):
            raise SettingsError(f"--without wants TABLE.COLUMN, not {text!r}")
        without[table].append(column)
    if not arguments.hold > 0:
        raise SettingsError("--hold must be more than 0 seconds")
    return Choices(arguments.force, _listed(arguments.expect_different), without, hold_s=arguments.hold)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


async def _reach(config: Settings, consumers: Pair) -> None:
    told = ""
    with tqdm(unit=" records", disable=None) as bar:

        def show(seen: Seen) -> None:
            nonlocal told
            bar.total, bar.n = seen.records, seen.done
            bar.refresh()
            if seen.waits_for and seen.waits_for != told:
                bar.clear()
                say(seen.waits_for)
            told = seen.waits_for

        say(f"{consumers.copy.name} is being built")
        await rebuild(config, consumers, show)
    say(f"{consumers.copy.name} has reached {consumers.first.name}")


def _agreed(consumers: Pair) -> bool:
    sys.stderr.write(f"Shall {consumers.copy.name} take the place of {consumers.first.name}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _tell(switched: Switched, consumers: Pair) -> None:
    for table, what in (switched.different or {}).items():
        say(f"different: {table}: {what}")
    if switched.different is None:
        say("the two were not compared: the first was behind")
    say(f"{consumers.first.name} goes on from the new view. The old one is kept; when nobody needs it any more:")
    sys.stdout.write(f"DROP SCHEMA {switched.old_schema} CASCADE;\n")
