"""The bugs, each as a few changes of the text, with the tests that must fail for it."""

from __future__ import annotations

from typing import NamedTuple

RUNTIME = "eskit/consumer"
VIEW = f"{RUNTIME}/transactions"
DELIVERY = f"{RUNTIME}/delivery"


class Edit(NamedTuple):
    """A text that stands in a file once, and what stands there instead."""

    file: str
    old: str
    new: str


class Bug(NamedTuple):
    """`tests`: arguments of pytest that select those which must find it."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def in_memory(file: str, test: str) -> tuple[str, ...]:
    """A test of tests/delivery, on the log in memory."""
    return (f"tests/delivery/{file}", "-k", f"{test} and memory")


BUGS = (
    Bug(
        "an event is done before its effect",
        (
            Edit(
                f"{DELIVERY}/one_by_one.py",
                "        for item in items:\n            if (item.calls",
                "        for item in items:\n            self._done(item)\n            if (item.calls",
            ),
        ),
        ("tests/unit/test_consumer_worker.py",),
    ),
    Bug(
        "lost partitions are committed",
        (
            Edit(
                f"{RUNTIME}/assignment.py",
                "            worker.kill()\n"
                "        async with self._changing:\n"
                "            await self.drop(partitions, commit=False)",
                "            worker.kill()\n"
                "        async with self._changing:\n"
                "            await self.drop(partitions, commit=True)",
            ),
        ),
        ("tests/delivery/test_progress.py", "-k", "was_lost"),
    ),
    Bug(
        "the offsets service takes a commit of an old epoch",
        (Edit("offsets_svc/sql/commit.sql", "SELECT kept.epoch = excluded.epoch\n", "SELECT true\n"),),
        ("tests/integration/test_offsets.py", "-k", "zombie"),
    ),
    Bug(
        "a view's offset is moved by an old epoch",
        (Edit(f"{VIEW}/sql/advance.sql", " AND epoch = %(epoch)s", ""),),
        in_memory("test_exactly_once.py", "zombies_transaction"),
    ),
    Bug(
        "a claim that comes late takes the view",
        (Edit(f"{VIEW}/sql/begin.sql", "\n WHERE kept.epoch < excluded.epoch", ""),),
        ("tests/integration/test_view_claims.py",),
    ),
    Bug(
        "a reset does not reach the view",
        (
            Edit(
                f"{VIEW}/sql/begin.sql",
                "CASE WHEN kept.epoch < %(reset)s THEN excluded.next_offset ELSE kept.next_offset END",
                "kept.next_offset",
            ),
        ),
        ("tests/integration/test_view_claims.py",),
    ),
    Bug(
        "the offset passes an event that is not done",
        (Edit(f"{DELIVERY}/frontier.py", "while self._begun and self._begun[0].done:", "while self._begun:"),),
        in_memory("test_at_least_once.py", "hangs"),
    ),
    Bug(
        "a new owner does not know who waits",
        (Edit(f"{RUNTIME}/assignment.py", "        await worker.parking.load()\n", ""),),
        in_memory("test_dead_letters.py", "after_a_restart"),
    ),
    Bug(
        "duplicates are handled again",
        (
            Edit(
                f"{DELIVERY}/items.py",
                "        self._last_position = position\n        return Item(message, offset, position, Record",
                "        return Item(message, offset, position, Record",
            ),
        ),
        in_memory("test_progress.py", "comes_again"),
    ),
    Bug(
        "after a restart duplicates are handled again",
        (
            Edit(
                f"{DELIVERY}/items.py",
                "self._last_position = progress.last_position",
                "self._last_position = 0",
            ),
        ),
        in_memory("test_progress.py", "comes_again"),
    ),
    Bug(
        "letters come back in the wrong order",
        (Edit(f"{DELIVERY}/draining.py", "for item in items:", "for item in reversed(items):"),),
        in_memory("test_dead_letters.py", "all_others_flow"),
    ),
    Bug(
        "an originator flows while letters of it are left",
        (
            Edit(
                f"{DELIVERY}/parking.py",
                "            if not await self.letters.unpark(key):\n                return False\n",
                "            await self.letters.unpark(key)\n",
            ),
        ),
        ("tests/unit/test_draining.py",),
    ),
    Bug(
        "letters are handled before the partition has come by them again",
        (Edit(f"{DELIVERY}/draining.py", "if item.offset >= (self._progress.next_offset or 0):", "if False:"),),
        ("tests/unit/test_draining.py",),
    ),
    Bug(
        "a letter's effect leaves the view before it",
        (Edit(f"{VIEW}/effects.py", "            await self._pass_by(connection, item.offset)\n", ""),),
        in_memory("test_letters_exactly_once.py", "after_a_restart"),
    ),
    Bug(
        "a poisoned event is tried without an end",
        (Edit(f"{DELIVERY}/policy.py", "and attempt >= decision.attempts:", "and attempt < 0:"),),
        ("tests/unit/test_delivery_parts.py",),
    ),
    Bug(
        "a batch that fails is not halved",
        (
            Edit(
                f"{DELIVERY}/batches.py",
                "if len(items) > 1 and not self._handling.waits_out(error):",
                "if len(items) < 0:",
            ),
        ),
        in_memory("test_dead_letters.py", "all_others_flow and batches"),
    ),
    Bug(
        "a commit without an answer is repeated",
        (
            Edit(f"{VIEW}/effects.py", "            if self._in_doubt:\n", "            if False:\n"),
            Edit(f"{VIEW}/sql/advance.sql", "\n   AND next_offset IS NOT DISTINCT FROM %(before)s::bigint", ""),
        ),
        in_memory("test_lost_answers.py", "without_an_answer"),
    ),
    Bug(
        "a commit without an answer is taken for somebody else's",
        (Edit(f"{VIEW}/effects.py", "            if self._in_doubt:\n", "            if False:\n"),),
        in_memory("test_lost_answers.py", "without_an_answer"),
    ),
    Bug(
        "events that nobody wants do not move the offset",
        (
            Edit(
                f"{DELIVERY}/one_by_one.py",
                "            self._done(item)\n",
                "            if item.calls:\n                self._done(item)\n",
            ),
        ),
        in_memory("test_progress.py", "nobody_wants"),
    ),
    Bug(
        "a handler that was given up counts as done",
        (
            Edit(
                f"{DELIVERY}/handling.py",
                "            if self._stopping.abandoned:\n                return False\n        self._stats",
                "        self._stats",
            ),
        ),
        ("tests/unit/test_consumer_worker.py",),
    ),
    Bug(
        "the offsets service lets an originator go while letters of it are left",
        (
            Edit(
                "offsets_svc/sql/letters_unpark.sql",
                "\n       AND NOT EXISTS (SELECT FROM letters\n"
                "                        WHERE letters.consumer = %(consumer)s AND letters.topic = %(topic)s\n"
                "                          AND letters.partition = %(partition)s AND letters.key = %(key)s)",
                "",
            ),
        ),
        ("tests/integration/test_letters.py", "tests/integration/test_letters_races.py"),
    ),
)
