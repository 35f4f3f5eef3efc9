"""Setting offsets by hand, and what was set: `POST …/reset`, `GET …/resets`."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from eskit import times
from eskit.errors import ConsumerActive, InvalidRequest, NotFound
from eskit.kafka import seeking
from eskit.kafka.topics import topic_id
from eskit.offsets import MAX_CLAIM, MAX_PARTITION, Audits, Reset, ResetAnswer
from eskit.settings import Settings
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from offsets_svc.api.resources import DATABASE, Limit, body_of, consumer_of, topic_id_of
from offsets_svc.store import resets


class AuditsQuery(msgspec.Struct, kw_only=True):
    """How many."""

    limit: Limit = 100


_reset = msgspec.json.Decoder(Reset)


async def reset(request: web.Request) -> Answer:
    """Set where a consumer goes on: to the beginning, the end, a position of the log, a moment, or given offsets.

    Every partition gets a new epoch, so whoever has it is fenced. Dead letters whose records come again are deleted.
    """
    queries.parse(request, queries.NoQuery)
    consumer, wanted = consumer_of(request), await body_of(request, _reset)
    target = await _target(request.app[bodies.SETTINGS], wanted)
    hand = resets.Hand(wanted.by, wanted.reason, wanted.force)
    return bodies.json_response(await resets.reset(request.app[DATABASE], consumer, target, hand))


async def get_resets(request: web.Request) -> Answer:
    """What was done to a consumer by hand, newest first: resets, discarded letters, its deletion."""
    query = queries.parse(request, AuditsQuery)
    return bodies.json_response(await resets.audits(request.app[DATABASE], consumer_of(request), query.limit))


async def _target(settings: Settings, wanted: Reset) -> resets.Target:
    ways = {
        name: value for name in ("to", "position", "time", "offsets") if (value := getattr(wanted, name)) is not None
    }
    if len(ways) != 1:
        raise InvalidRequest("give exactly one of to, position, time, offsets", field="to")
    if len(set(wanted.partitions or ())) < len(wanted.partitions or ()):
        raise InvalidRequest("partitions names a partition twice", field="partitions")
    [(name, value)] = ways.items()
    given_id = topic_id_of(wanted.topic_id)
    if wanted.offsets is not None:
        return resets.Target(wanted.topic, _given(wanted), None, given_id, "given offsets")
    if not settings.kafka_bootstrap:
        message = f"{name} needs Kafka, and ESKIT_KAFKA_BOOTSTRAP is not set for this service; give offsets"
        raise InvalidRequest(message, field=name)
    offsets, found_id = await asyncio.to_thread(_look, settings, wanted, _place(name, value))
    position = max(0, wanted.position - 1) if wanted.position is not None else None
    shown = times.rfc3339(times.micros(value)) if name == "time" else value
    return resets.Target(wanted.topic, offsets, position, given_id or found_id, f"{name} {shown}")


def _place(name: str, value: Any) -> seeking.Place:
    return seeking.Position(value) if name == "position" else value


def _look(settings: Settings, wanted: Reset, place: seeking.Place) -> tuple[dict[int, int], str | None]:
    """In a thread: it waits for Kafka."""
    known = seeking.partitions_of(settings, wanted.topic)
    if known is None:
        raise InvalidRequest(f"Kafka has no topic {wanted.topic}", field="topic")
    if unknown := sorted(set(wanted.partitions or ()) - set(known)):
        message = f"{wanted.topic} has {len(known)} partitions from 0 on, and not {unknown[:10]}"
        raise InvalidRequest(message, field="partitions")
    return seeking.find(settings, wanted.topic, wanted.partitions, place), topic_id(settings, wanted.topic)


def _given(wanted: Reset) -> dict[int, int]:
    if wanted.partitions is not None:
        raise InvalidRequest("partitions does not go with offsets, which name their partitions", field="partitions")
    if not wanted.offsets:
        raise InvalidRequest("offsets names no partition", field="offsets")
    if len(wanted.offsets) > MAX_CLAIM:
        message = f"offsets must have at most {MAX_CLAIM} partitions, not {len(wanted.offsets)}"
        raise InvalidRequest(message, field="offsets", limit=MAX_CLAIM)
    found = {}
    for name, offset in wanted.offsets.items():
        if not (name.isascii() and name.isdecimal() and len(name) <= 6 and int(name) <= MAX_PARTITION):
            raise InvalidRequest(f"offsets: {name[:20]!r} is no partition", field="offsets")
        if int(name) in found:
            raise InvalidRequest(f"offsets names partition {int(name)} twice", field="offsets")
        found[int(name)] = offset
    return found


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/consumers/{consumer}/reset",
        handler=reset,
        query=queries.NoQuery,
        body=Content("Where to.", {JSON: Reset}, example={"topic": "eskit.application-log", "to": "beginning"}),
        answers={200: Content("Where the partitions stand now.", {JSON: ResetAnswer})},
        errors=(NotFound, ConsumerActive),
    ),
    Operation(
        method="GET",
        path="/v1/consumers/{consumer}/resets",
        handler=get_resets,
        query=AuditsQuery,
        answers={200: Content("Newest first.", {JSON: Audits})},
    ),
)
