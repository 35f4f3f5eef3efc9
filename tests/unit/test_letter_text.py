"""How dead letters look at a terminal."""

from __future__ import annotations

import json

import msgspec
import pytest

from eskit.cli import letter_text
from eskit.cli.letters_found import WaitingKey
from eskit.kafka.record import PREFIX, Source
from eskit.letters import UNREADABLE, Cause, Header, Kept, ParkedKey
from tests.unit.test_record import EVENT

CAUSE = Cause(error_type="ValueError", error="no such account", traceback_hash="0123456789abcdef", attempts=5)
KEPT = Kept(
    topic="eskit.application-log",
    partition=3,
    offset=41,
    key="a/ü",
    failed=True,
    position=7,
    event_type="com.acme.User.Created",
    event_id="01a20c55-a729-71d9-8257-f701f7de4353",
    cause=CAUSE,
    set_aside_at="2026-11-25T12:04:08.000000Z",
    value=Source("main").record(EVENT).value,
    headers=[Header("ce_type", b"com.acme.User.Created")],
)
UNREAD = msgspec.structs.replace(
    KEPT,
    key=UNREADABLE,
    position=None,
    value=b"hello\x1b[31m\x00\xff world",
    headers=[Header("\x1b[2J", b"\x07ping"), Header("none", None)],
)


def test_a_letter_of_ours_shows_its_event_as_json() -> None:
    shown = letter_text.letter(KEPT)
    head, _, event = shown.partition("  event\n")
    assert head.splitlines() == [
        "eskit.application-log/3/41  failed, 5 attempts",
        "  key         a/ü",
        "  set aside   2026-11-25T12:04:08Z",
        "  error       ValueError: no such account",
        "  traceback   0123456789abcdef",
    ]
    found = json.loads(event)
    assert (found["position"], found["payload"], found["originator"]) == (7, {"n": 1.10}, {"id": "a/ü", "version": 3})
    assert '"n": 1.10' in event


def test_a_letter_that_only_waits_has_no_error() -> None:
    shown = letter_text.letter(msgspec.structs.replace(KEPT, failed=False, cause=Cause()))
    assert "waits behind one that failed" in shown
    assert "error" not in shown.partition("  event\n")[0]


def test_an_unreadable_record_is_dumped_with_its_headers() -> None:
    assert letter_text.letter(UNREAD).splitlines()[1:] == [
        "  key         (unreadable records)",
        "  set aside   2026-11-25T12:04:08Z",
        "  error       ValueError: no such account",
        "  traceback   0123456789abcdef",
        "  header      \\x1b[2J: \\x07ping",
        "  header      none: nothing",
        "  record",
        "    00000000  68 65 6c 6c 6f 1b 5b 33 31 6d 00 ff 20 77 6f 72  hello.[31m.. wor",
        "    00000010  6c 64                                            ld",
    ]


@pytest.mark.parametrize("payload", ["{", '{"a":' * 5000])
def test_an_event_whose_payload_is_no_json_is_dumped(payload: str) -> None:
    """Somebody else may have written it."""
    value = Source("main").record(msgspec.structs.replace(EVENT, payload=payload)).value
    shown = letter_text.letter(msgspec.structs.replace(KEPT, value=value))
    assert PREFIX[:4].hex(" ") in shown
    json.loads(letter_text.as_json(letter_text.with_event(msgspec.structs.replace(KEPT, value=value))))


@pytest.mark.parametrize(
    ("value", "rows"), [(None, ["nothing"]), (b"", ["no bytes"]), (b"a", ["00000000  61" + " " * 47 + "a"])]
)
def test_little_is_shown_whole(value: bytes | None, rows: list[str]) -> None:
    assert letter_text.dump(value) == rows


def test_much_is_cut_and_says_so() -> None:
    rows = letter_text.dump(b"x" * 100_000)
    assert len(rows) == 33
    assert rows[-1] == "… 99,488 bytes more; --json has all of it"
    payload = json.dumps({"text": "y" * 300_000})
    value = Source("main").record(msgspec.structs.replace(EVENT, payload=payload)).value
    shown = letter_text.letter(msgspec.structs.replace(KEPT, value=value))
    assert len(shown) < 25_000
    assert "characters more; --json has all of it" in shown


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "a\nb", "\x9b1m", "\u202eevil", "\u2028", "\x7f", "\x00"])
def test_nothing_that_was_written_into_a_letter_moves_the_terminal(text: str) -> None:
    evil = Cause(error_type=text, error=text, traceback_hash="", attempts=1)
    kept = msgspec.structs.replace(UNREAD, key=text, cause=evil, headers=[Header(text, text.encode())])
    parked = ParkedKey("t", 0, text, retry=False, first_offset=1, since="2026-11-25T12:04:08.000000Z", letters=1)
    shown = [
        letter_text.letter(kept),
        letter_text.keys([WaitingKey(parked, 1, evil)]),
        letter_text.question([kept], more=False),
    ]
    for one in shown:
        assert all(c.isprintable() for c in one.replace("\n", ""))
        assert text not in one


def test_tables() -> None:
    assert letter_text.consumers({}) == "no consumer has set anything aside\n"
    assert letter_text.consumers({"billing": 12_000, "x": 1}) == "CONSUMER  KEYS\nbilling   12,000\nx         1\n"
    assert letter_text.keys([]) == "nothing is set aside\n"
    since = "2026-11-25T12:04:08.000000Z"
    long = Cause(error_type="ValueError", error="e" * 200)
    rows = letter_text.keys(
        [
            WaitingKey(ParkedKey("t", 0, "order-7", retry=False, first_offset=5, since=since, letters=3), 5, CAUSE),
            WaitingKey(ParkedKey("t", 1, "", retry=True, first_offset=6, since=since, letters=1), None, None),
            WaitingKey(ParkedKey("t", 1, "x", retry=True, first_offset=6, since=since, letters=1), 8, long),
        ]
    ).splitlines()
    assert rows[:3] == [
        "KEY                   LETTERS  STATE           SINCE                 FIRST  ERROR",
        "order-7               3        waits           2026-11-25T12:04:08Z  t/0/5  ValueError: no such account",
        "(unreadable records)  1        is wanted back  2026-11-25T12:04:08Z  t/1/6  nothing failed",
    ]
    assert rows[3].endswith("e…")
    assert "t/1/8" in rows[3]


def test_the_question_says_what_goes_and_what_follows() -> None:
    first = "first eskit.application-log/3/41: ValueError: no such account"
    follows = "What waits behind is then handled."
    assert letter_text.question([KEPT], more=False) == f"Throw away 1 letter, {first}? {follows}"
    assert letter_text.question([KEPT] * 1000, more=True) == f"Throw away more than 1,000 letters, {first}? {follows}"
    waits = msgspec.structs.replace(KEPT, failed=False, cause=Cause())
    assert letter_text.question([waits, waits], more=False) == f"Throw away 2 letters? {follows}"
