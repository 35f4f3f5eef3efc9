"""A key that stands twice in an append's envelope: readers of JSON disagree which one counts, so it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from msgspec import Raw

from eskit.errors import InvalidRequest, MalformedRequest


class Envelope(Protocol):
    """What an event says beside its payload, and the payload as it was sent."""

    @property
    def originator(self) -> Any: ...
    @property
    def payload(self) -> Raw: ...
    @property
    def metadata(self) -> dict[str, str]: ...
    @property
    def event_id(self) -> Any: ...
    @property
    def occurred_on(self) -> Any: ...
    @property
    def expected(self) -> Any: ...


def refuse_repeated_keys(body: bytes, events: Sequence[Envelope], payloads: Iterable[bytes], *, listed: bool) -> None:
    """Raises InvalidRequest that names the key; payloads are their senders' own, nothing in them is looked at.

    `body` was read as these events already, of which the last of two like keys won. Every key and every string has two
    quotes: where there are just as many as what was read needs, nothing else was there. Counting them costs less than
    a tenth of reading; more of them can have other reasons (an escaped one, a null), so then it is read again, slowly.
    """
    quotes = body.count(b'"') - (2 if listed else 0)
    for payload in payloads:
        quotes -= payload.count(b'"')
    for event in events:
        quotes -= _least_quotes(event)
    if quotes:
        for field in _repeated(_pairs(body)):
            raise InvalidRequest(f"{field} is given twice", field=field)


def refuse_two_lists(body: bytes, entries: Iterable[bytes]) -> None:
    """The same for a body that is nothing but one list, by its name, of entries that are looked at one by one."""
    if body.count(b'"') - sum([entry.count(b'"') for entry in entries]) > 2:
        (first, _), *more = _pairs(body)
        if more:
            raise InvalidRequest(f"{first} is given twice", field=first)


def _least_quotes(event: Envelope) -> int:
    quotes = 12  # originator, id and its value, event_type and its value, payload
    if event.event_id is not None:
        quotes += 4
    if event.metadata:
        quotes += 2 + 4 * len(event.metadata)
    if event.originator.version is not None:
        quotes += 2
    if event.occurred_on is not None:
        quotes += 4
    if event.expected is not None:
        quotes += 4 if isinstance(event.expected, str) else 2
    return quotes


class _Object(list[tuple[str, Any]]):
    """A JSON object with every one of its members."""


def _pairs(body: bytes) -> Any:
    try:
        # Numbers stay text: a payload that was overruled has been looked at by nobody.
        return json.loads(body, object_pairs_hook=_Object, parse_int=str, parse_float=str)
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"The body is not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deep") from None


def _repeated(value: Any, at: str = "") -> Iterator[str]:
    """The paths of keys that stand twice, outside of payloads."""
    if isinstance(value, _Object):
        seen: set[str] = set()
        for key, member in value:
            field = f"{at}.{key[:100]}" if at else key[:100]
            if key in seen:
                yield field
            seen.add(key)
            if key != "payload":
                yield from _repeated(member, field)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _repeated(entry, f"{at}[{index}]")
