"""What an import sends for exported events: in their order, of each stream all up to the first that does not fit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from eskit.cli.export_lines import EventLine
from eskit.cli.import_entities import Fate, Outcome
from eskit.client.eventstore import EventStore
from eskit.client.service import JSON
from eskit.errors import Conflict, EskitError, EventIdReused, InvalidRequest, NotFound, TooLarge, VersionConflict
from eskit.events import Event

_INDEX = re.compile(r"events\[(\d+)\]")
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
_encode = msgspec.json.Encoder().encode


class EventImport:
    """Appends events under their own ids, at their versions, a piece of the file with one append.

    An event that does not fit ends its stream: what follows in it would be stored behind something else.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._ended: dict[tuple[str, str], int] = {}  # at which of these lines; -1: of earlier ones

    async def store(self, lines: Sequence[EventLine]) -> list[Outcome]:
        """What became of each event. Raises Unavailable."""
        outcomes: dict[int, Outcome] = {}
        self._ended = dict.fromkeys(self._ended, -1)
        await self._append(list(range(len(lines))), lines, outcomes)
        return [outcomes[number] for number in range(len(lines))]

    async def _append(self, numbers: list[int], lines: Sequence[EventLine], outcomes: dict[int, Outcome]) -> None:
        """All of these that fit; each round fewer are left."""
        while numbers := self._open(numbers, lines, outcomes):
            body = _encode({"events": [_event(lines[number]) for number in numbers]})
            try:
                answer = await self._store.call("POST", "/v1/events", body=body, headers=JSON)
            except EventIdReused as reused:
                if not await self._look_up(numbers, lines, outcomes):
                    self._refuse(numbers[0], lines, outcomes, reused)
                numbers = [number for number in numbers if number not in outcomes]
            except (VersionConflict, InvalidRequest, TooLarge) as error:
                index = _INDEX.match(error.field or "")
                if index is None and len(numbers) > 1:
                    middle = len(numbers) // 2
                    await self._append(numbers[:middle], lines, outcomes)
                    numbers = numbers[middle:]
                else:
                    self._refuse(numbers[int(index[1]) if index else 0], lines, outcomes, error)
                    numbers = [number for number in numbers if number not in outcomes]
            else:
                outcomes.update(dict.fromkeys(numbers, Fate.STORED if answer.status == 201 else Fate.KNOWN))
                return

    def _open(self, numbers: list[int], lines: Sequence[EventLine], outcomes: dict[int, Outcome]) -> list[int]:
        """Those whose streams have not ended."""
        for number in numbers:
            if number > self._ended.get(lines[number].stream, number):
                message = f"An earlier event of {lines[number].stream[0]} {lines[number].subject!r} was refused"
                outcomes.setdefault(number, Conflict(message))
        return [number for number in numbers if number not in outcomes]

    def _refuse(self, number: int, lines: Sequence[EventLine], outcomes: dict[int, Outcome], error: EskitError) -> None:
        outcomes[number] = error
        self._ended[lines[number].stream] = min(number, self._ended.get(lines[number].stream, number))

    async def _look_up(self, numbers: list[int], lines: Sequence[EventLine], outcomes: dict[int, Outcome]) -> bool:
        """Find those that are stored, together with whatever others; whether there were any."""
        found = await asyncio.gather(*(self._stored(lines[number]) for number in numbers))
        for number, event in zip(numbers, found, strict=True):
            if event is None:
                continue
            if _content(event) == _said(lines[number]):
                outcomes[number] = Fate.KNOWN
            elif number <= self._ended.get(lines[number].stream, number):
                message = (
                    f"The event id {event.event_id} is in the log at position {event.position}, with other content"
                )
                self._refuse(number, lines, outcomes, EventIdReused(message))
        return any(event is not None for event in found)

    async def _stored(self, line: EventLine) -> Event | None:
        try:
            return await self._store.event(line.id)
        except NotFound:
            return None


def _event(line: EventLine) -> dict[str, Any]:
    return {
        "originator": {"id": line.subject, "version": line.version},
        "event_type": line.type,
        "payload": line.data,
        "metadata": _metadata(line.id, line.metadata),
        "event_id": line.id,
        "occurred_on": line.time,
    }


def _metadata(event_id: UUID, metadata: dict[str, str]) -> dict[str, str]:
    # An event without a cause correlates with itself; left out, it would be with the first one of its append.
    return {"correlation_id": str(event_id), **metadata}


def _said(line: EventLine) -> tuple[Any, ...]:
    return line.type, line.subject, line.version, line.time, bytes(line.data), _metadata(line.id, line.metadata)


def _content(event: Event) -> tuple[Any, ...]:
    payload, origin = bytes(event.payload).translate(_ONE_LINE), event.originator
    metadata = _metadata(event.event_id, event.metadata)
    return event.event_type, origin.id, origin.version, event.occurred_on, payload, metadata
