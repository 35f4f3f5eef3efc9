"""What the consumers have done, held against the log: nothing lost, in order, and in the view nothing twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psycopg

from eskit.kafka.murmur2 import partition
from tests.faults.shapes import PARTITIONS, VIEW
from tests.integration.consuming import originator


class Fault(Exception):
    """A promise that was not kept; the text says which."""


class Effect(NamedTuple):
    """One effect. `writer`: a process and its claim; empty in the view."""

    writer: str
    partition: int
    position: int


def partition_of(position: int) -> int:
    """Where an event goes."""
    return _partition(originator(position))


@cache
def _partition(whose: str) -> int:
    return partition(whose, PARTITIONS)


def ends(last: int) -> dict[int, int]:
    """The records of each partition, when the log's last position is this."""
    found = dict.fromkeys(range(PARTITIONS), 0)
    for position in range(1, last + 1):
        found[partition_of(position)] += 1
    return found


def of_file(path: Path) -> list[Effect]:
    """In the order of writing. What a killed process has written is whole, or not there: it is one call."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Effect(writer, int(number), int(position)) for writer, number, position in map(str.split, lines)]


def of_view(url: str) -> list[Effect]:
    """In the order of the inserts; none before there is a view."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass(%s) IS NULL", (f"{VIEW}.effects",)).fetchone() == (True,):
            return []
        rows = connection.execute(f"SELECT position FROM {VIEW}.effects ORDER BY nr").fetchall()
    return [Effect("", partition_of(position), position) for (position,) in rows]


def complete(name: str, effects: Iterable[Effect], wanted: set[int]) -> None:
    """Exactly these have had an effect, be it once or more often."""
    found = {effect.position for effect in effects}
    if found != wanted:
        lost, more = sorted(wanted - found), sorted(found - wanted)
        raise Fault(f"{name}: {len(lost)} events lost {lost[:10]}, {len(more)} that must not be there {more[:10]}")


def in_order(name: str, effects: Iterable[Effect]) -> None:
    """No event of an originator has an effect before one that comes before it has had its own; within a claim, no
    originator goes back."""
    first: dict[str, int] = defaultdict(int)
    seen: set[int] = set()
    by_claim: dict[tuple[str, int, str], int] = defaultdict(int)
    for effect in effects:
        whose = originator(effect.position)
        if effect.position not in seen:
            if effect.position < first[whose]:
                raise Fault(f"{name}: {effect.position} of {whose} came after {first[whose]}")
            first[whose] = effect.position
            seen.add(effect.position)
        claim = (effect.writer, effect.partition, whose)
        if effect.position <= by_claim[claim]:
            raise Fault(f"{name}: claim {effect.writer} did {effect.position} of {whose} after {by_claim[claim]}")
        by_claim[claim] = effect.position


def once(name: str, effects: Iterable[Effect]) -> None:
    """No event twice."""
    positions = [effect.position for effect in effects]
    if len(positions) != len(set(positions)):
        twice = sorted({p for p in positions if positions.count(p) > 1})[:10]
        raise Fault(f"{name}: {len(positions) - len(set(positions))} effects too many, of {twice}")


def none_ahead(name: str, saved: dict[int, int | None], effects: Iterable[Effect], last: int) -> None:
    """What is committed has had its effect. `saved`: positions, read before the effects were."""
    done = {effect.position for effect in effects}
    for position in range(1, last + 1):
        if position <= (saved.get(partition_of(position)) or 0) and position not in done:
            raise Fault(f"{name}: {saved} is committed, and {position} has had no effect")
