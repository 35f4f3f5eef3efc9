"""Dead letters as a person reads them at a terminal, and as a program reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from eskit.cli.letters_found import WaitingKey
from eskit.events import Event
from eskit.kafka import record
from eskit.letters import Cause, Header, Kept

UNREADABLE = "(unreadable records)"
MAX_ERROR = 80
MAX_TEXT = 20_000
MAX_DUMP = 512
ROW = 16


def as_json(value: Any) -> str:
    """One document, indented."""
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"


def with_event(kept: Kept) -> dict[str, Any]:
    """A letter and, where its record can be read, its event."""
    return {**msgspec.structs.asdict(kept), "event": _event(kept)}


def plain(text: str) -> str:
    """Text that does nothing to a terminal: whoever wrote the record or the error may have meant to."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def number(count: int, what: str) -> str:
    """`1 key`, `2 keys`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def consumers(found: Mapping[str, int]) -> str:
    """Each with the number of keys that wait."""
    if not found:
        return "no consumer has set anything aside\n"
    return _table(["CONSUMER", "KEYS"], [[name, f"{count:,}"] for name, count in found.items()])


def keys(found: Sequence[WaitingKey]) -> str:
    """A row each: how many letters, since when, and why."""
    if not found:
        return "nothing is set aside\n"
    rows = [
        [
            plain(one.parked.key) or UNREADABLE,
            f"{one.parked.letters or 0:,}",
            "is wanted back" if one.parked.retry else "waits",
            f"{one.parked.since[:19]}Z",
            f"{one.parked.topic}/{one.parked.partition}/{_offset(one)}",
            _error(one.cause, MAX_ERROR) if one.cause else "nothing failed",
        ]
        for one in found
    ]
    return _table(["KEY", "LETTERS", "STATE", "SINCE", "FIRST", "ERROR"], rows)


def _offset(one: WaitingKey) -> int:
    return one.parked.first_offset if one.failed_offset is None else one.failed_offset


def letter(kept: Kept) -> str:
    """All of it: what it is, why it is here, and its record."""
    event = _event(kept)
    why = f"failed, {number(kept.cause.attempts, 'attempt')}" if kept.failed else "waits behind one that failed"
    lines = [
        f"{kept.topic}/{kept.partition}/{kept.offset}  {why}",
        f"  key         {plain(kept.key) or UNREADABLE}",
        f"  set aside   {kept.set_aside_at[:19]}Z",
    ]
    if kept.failed:
        lines += [f"  error       {_error(kept.cause, None)}", f"  traceback   {kept.cause.traceback_hash}"]
    if event is not None:
        lines += ["  event"]
        shown = msgspec.json.format(msgspec.json.encode(event)).decode()
        return "\n".join([*lines, *(f"    {plain(line)}" for line in _bounded(shown).splitlines())]) + "\n"
    lines += [f"  header      {_header(header)}" for header in kept.headers or []]
    return "\n".join([*lines, "  record", *(f"    {line}" for line in dump(kept.value))]) + "\n"


def dump(value: bytes | None) -> list[str]:
    """Bytes, sixteen a line: where, in hex, as ASCII."""
    if not value:
        return ["nothing" if value is None else "no bytes"]
    rows = [
        f"{at:08x}  {value[at : at + ROW].hex(' '):<{ROW * 3 - 1}}  {_ascii(value[at : at + ROW])}"
        for at in range(0, min(len(value), MAX_DUMP), ROW)
    ]
    if len(value) > MAX_DUMP:
        rows.append(f"… {len(value) - MAX_DUMP:,} bytes more; --json has all of it")
    return rows


def question(gone: Sequence[Kept], *, more: bool) -> str:
    """What is about to be thrown away."""
    count = f"more than {number(len(gone), 'letter')}" if more else number(len(gone), "letter")
    first = next((kept for kept in gone if kept.failed), None)
    why = f", first {first.topic}/{first.partition}/{first.offset}: {_error(first.cause, MAX_ERROR)}" if first else ""
    return f"Throw away {count}{why}? What waits behind is then handled."


def _event(kept: Kept) -> Event | None:
    """None: its bytes have to speak for themselves."""
    try:
        event = record.decode(kept.value)
        event.data()
    except (record.UndecodableRecord, msgspec.DecodeError, RecursionError):
        return None
    return event


def _error(cause: Cause, most: int | None) -> str:
    text = plain(f"{cause.error_type}: {cause.error}" if cause.error else cause.error_type)
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def _header(header: Header) -> str:
    value = "nothing" if header.value is None else _bounded(header.value[:MAX_DUMP].decode("utf-8", "backslashreplace"))
    return f"{plain(_bounded(header.name))}: {plain(value)}"


def _bounded(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}\n… {len(text) - MAX_TEXT:,} characters more; --json has all of it"


def _ascii(some: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in some)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    wide = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)) for row in [head, *rows]]
    return "".join(f"{line.rstrip()}\n" for line in lines)
