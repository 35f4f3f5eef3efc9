"""`eskit verify entities`: fold every entity anew from its events, compare the snapshots with that."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing

from tqdm import tqdm

from crud_svc import database
from crud_svc.verify.comparing import Copies, compare
from crud_svc.verify.copies import Log, Scope, snapshots
from eskit import logs, names, settings
from eskit.settings import Settings
from eventstore_svc.store import Fetcher

SHOWN = 20
DESCRIPTION = """\
Fold every entity anew, event by event, as the log is at this moment, and compare with that what is kept of them beside
the log: each snapshot that a read could begin with. Services may go on meanwhile.

Status 0: they say the same. 1: something differs; it is named, and safe to be deleted."""


def run(arguments: Sequence[str]) -> int:
    """Verify; 0, or 1 where something differs. Raises EskitError where it cannot be told."""
    parser = argparse.ArgumentParser(
        "eskit verify entities", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--type", help="only entities of this type")
    given = parser.parse_args(arguments)
    only = None if given.type is None else names.entity_type(given.type, "--type")
    config = settings.load()
    logs.configure(config, "eskit verify")
    return asyncio.run(_verify(config, only))


async def _verify(config: Settings, only_type: str | None) -> int:
    async with database.open_pool(config) as pool:
        ours, theirs = Fetcher(pool, "crud_svc"), Fetcher(pool)
        position = (await theirs.fetch("log_end", {})).number(0, 0)
        scope = Scope(position, only_type)
        log, kept = Log(ours, scope), Copies("snapshot", snapshots(ours, scope))
        different = 0
        # Positions have no holes: so many events there are, of all types together.
        total = position if only_type is None else None
        with tqdm(total=total, unit=" events", unit_scale=True, disable=None) as bar:
            async with aclosing(compare(log, [kept], bar.update)) as differences:
                async for difference in differences:
                    different += 1
                    if different <= SHOWN:
                        bar.clear()
                        sys.stdout.write(f"{difference}\n")
        _conclude(log, kept, different, position)
    return 1 if different else 0


def _conclude(log: Log, kept: Copies, different: int, position: int) -> None:
    if different > SHOWN:
        sys.stdout.write(f"and {different - SHOWN} more\n")
    verdict = f"{different} of them differ" if different else "all say the same"
    sys.stdout.write(f"{kept.count} snapshots, {log.count} events up to position {position}: {verdict}\n")
