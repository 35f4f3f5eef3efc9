"""Offsets set by hand, consumers deleted: under locks, with a trace of how it was before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from eskit.errors import ConsumerActive, NotFound
from eskit.offsets import Audit, Audits, ResetAnswer, ResetPartition
from eskit.postgres.statements import statement
from offsets_svc.store.consumers import text
from offsets_svc.store.database import Database, Row, rows

LOCK = statement("offsets_svc", "reset_lock")
RESET = statement("offsets_svc", "reset")
HOLD_KEYS = statement("offsets_svc", "letters_hold_partitions")
LETTERS = statement("offsets_svc", "reset_letters")
AUDIT = statement("offsets_svc", "audit")
AUDITS = statement("offsets_svc", "audits")
DELETE_LOCK = statement("offsets_svc", "delete_lock")
DELETE = statement("offsets_svc", "delete")


class Hand(NamedTuple):
    """Who does something by hand, and why. `force`: also while somebody consumes."""

    by: str | None = None
    reason: str | None = None
    force: bool = False


class Target(NamedTuple):
    """Where to set a consumer. `what` says it for people; `position`: of the last event that counts as done."""

    topic: str
    offsets: dict[int, int]
    position: int | None
    topic_id: str | None
    what: str


async def reset(database: Database, consumer: str, target: Target, hand: Hand) -> ResetAnswer:
    """Set offsets. Raises NotFound, ConsumerActive, Unavailable."""

    async def work(connection: AsyncConnection) -> ResetAnswer:
        named = {"consumer": consumer, "topic": target.topic}
        before = await rows(connection, LOCK, named)
        _require_known(consumer, before)
        _require_idle(consumer, [(row[4], row[5]) for row in before], hand)
        numbers = sorted(target.offsets)
        wanted = {**named, "partitions": numbers, "offsets": [target.offsets[n] for n in numbers]}
        done = await rows(connection, RESET, {**wanted, "position": target.position, "topic_id": target.topic_id})
        await rows(connection, HOLD_KEYS, wanted)
        [(letters,)] = await rows(connection, LETTERS, wanted)
        stood = [_stood(target.topic, *row[:5]) for row in before if row[0] in target.offsets]
        await note(connection, consumer, target.topic, f"{target.what}, {letters} letters deleted", hand, stood)
        return ResetAnswer(sorted((ResetPartition(*row) for row in done), key=lambda p: p.partition), letters)

    return await database.transaction(work)


async def delete(database: Database, consumer: str, hand: Hand) -> None:
    """Delete a consumer with all it has. Raises NotFound, ConsumerActive, Unavailable."""

    async def work(connection: AsyncConnection) -> None:
        before = await rows(connection, DELETE_LOCK, {"consumer": consumer})
        _require_idle(consumer, [(row[5], row[6]) for row in before], hand)
        _require_known(consumer, await rows(connection, DELETE, {"consumer": consumer}))
        await note(connection, consumer, "", "delete", hand, [_stood(*row[:6]) for row in before])

    await database.transaction(work)


async def audits(database: Database, consumer: str, limit: int) -> Audits:
    """What was done by hand, newest first."""
    found = await database.rows(AUDITS, {"consumer": consumer, "limit": limit})
    return Audits([Audit(row[0], row[1], text(row[2]), *row[3:]) for row in found])


async def note(
    connection: AsyncConnection, consumer: str, topic: str, what: str, hand: Hand, partitions: list[dict[str, Any]]
) -> None:
    """Leave a trace, in the transaction of what was done."""
    values = {"consumer": consumer, "topic": topic, "what": what, "by": hand.by, "reason": hand.reason,
              "forced": hand.force, "partitions": json.dumps(partitions)}  # fmt: skip
    await rows(connection, AUDIT, values)


def _stood(topic: str, *columns: Any) -> dict[str, Any]:
    names = ("partition", "offset", "position", "epoch", "member")
    return {"topic": topic, **dict(zip(names, columns, strict=True))}


def _require_known(consumer: str, found: Sequence[Row]) -> None:
    if not found:
        raise NotFound(f"{consumer} has claimed and committed nothing there yet")


def _require_idle(consumer: str, partitions: Sequence[tuple[str | None, bool]], hand: Hand) -> None:
    members = sorted({member for member, fresh in partitions if member is not None and fresh})
    if members and not hand.force:
        message = f"{consumer} is consumed by {', '.join(members[:5])}. Stop it, or force: then its members are fenced"
        raise ConsumerActive(message, field="force", members=members)
