"""`eskit verify entities`: fold every entity anew from its events, compare snapshots and the entity view with that."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from typing import Never

from tqdm import tqdm

from crud_svc import database
from crud_svc.verify.comparing import Copies, compare
from crud_svc.verify.copies import Log, Scope, snapshots
from crud_svc.verify.view import ViewCopies, ViewRows
from crud_svc.view.database import open_view_database
from eskit import logs, names, settings
from eskit.settings import Settings
from eventstore_svc.store import Fetcher

SHOWN = 20
DESCRIPTION = """\
Fold every entity anew, event by event, as the log is at this moment, and compare with that what is kept beside it: each
snapshot that a read could begin with, and each row of the entity view. Services may go on meanwhile; where the view has
yet to get the last events of an entity, what it has is compared.

Status 0: no difference. 1: some, which are named. Snapshots that differ may be deleted, the view be built anew."""


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
    async with database.open_pool(config) as pool, open_view_database(config) as view:
        ours, theirs = Fetcher(pool, "crud_svc"), Fetcher(pool)
        ends = await theirs.fetch("log_ends", {"most": 1})
        position, partitions = ends.number(0, 0), ends.number(0, 1)
        scope = Scope(position, only_type)
        log, kept = Log(ours, scope), [Copies("snapshot", "snapshots", snapshots(ours, scope))]
        rows = ViewRows(view, config.topic, scope)
        if partitions and await rows.there():
            kept.append(ViewCopies(rows, scope, partitions))
        # Positions have no holes: so many events there are, of all types together.
        total = position if only_type is None else None
        with tqdm(total=total, unit=" events", unit_scale=True, disable=None) as bar:
            different = await _compare(log, kept, bar)
    _conclude(log, kept, different, position)
    return 1 if different else 0


async def _compare(log: Log, kept: Sequence[Copies], bar: tqdm[Never]) -> int:
    different = 0
    async with aclosing(compare(log, kept, bar.update)) as differences:
        async for difference in differences:
            different += 1
            if different <= SHOWN:
                bar.clear()
                sys.stdout.write(f"{difference}\n")
    return different


def _conclude(log: Log, kept: Sequence[Copies], different: int, position: int) -> None:
    out = sys.stdout.write
    if different > SHOWN:
        out(f"and {different - SHOWN} more\n")
    for copies in kept:
        if isinstance(copies, ViewCopies) and copies.behind:
            out(f"the view has yet to get the last events of {copies.behind} entities\n")
    counts = " and ".join(f"{copies.count} {copies.many}" for copies in kept)
    beside = "" if len(kept) > 1 else " (there is no view)"
    verdict = f"{different} differences" if different else "no difference"
    out(f"{counts}{beside}, {log.count} events up to position {position}: {verdict}\n")
