"""The bugs, each as a few changes of the text, with the tests that must fail for it."""

from __future__ import annotations

from typing import NamedTuple

RUNTIME = "eskit/consumer"
VIEW = f"{RUNTIME}/transactions"
DELIVERY = f"{RUNTIME}/delivery"
COMES_ONCE = "test_what_was_set_aside_last_and_came_back_does_not_come_again_after_a_restart"


class Edit(NamedTuple):
    """A text that stands in a file once, and what stands there instead."""

    file: str
    old: str
    new: str


class Bug(NamedTuple):
    """`tests`: those that must find it, by their ids for pytest."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def in_memory(test: str, case: str = "") -> tuple[str, ...]:
    """A test of tests/delivery, on the log in memory."""
    return (f"tests/delivery/{test}[memory{case}]",)


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
        ("tests/delivery/test_progress.py::test_what_was_lost_is_not_committed",),
    ),
    Bug(
        "the offsets service takes a commit of an old epoch",
        (Edit("offsets_svc/sql/commit.sql", " epoch = own_epoch\n", " true\n"),),
        ("tests/integration/test_offsets.py::test_a_zombie_can_move_no_offset",),
    ),
    Bug(
        "a view's offset is moved by an old epoch",
        (Edit(f"{VIEW}/sql/advance.sql", " AND epoch = %(epoch)s", ""),),
        in_memory("test_exactly_once.py::test_a_zombies_transaction_is_rolled_back"),
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
        in_memory("test_at_least_once.py::test_an_originator_that_hangs_holds_nobody_and_the_offset_stays_before_it"),
    ),
    Bug(
        "a new owner does not know who waits",
        (Edit(f"{RUNTIME}/assignment.py", "        await worker.parking.load()\n", ""),),
        in_memory("test_dead_letters.py::test_who_waits_goes_on_waiting_after_a_restart", "-lanes"),
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
        in_memory("test_progress.py::test_what_comes_again_is_dropped_also_after_a_restart", "-selectors0-lanes"),
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
        in_memory("test_progress.py::test_what_comes_again_is_dropped_also_after_a_restart", "-selectors0-lanes"),
    ),
    Bug(
        "letters come back in the wrong order",
        (Edit(f"{DELIVERY}/draining.py", "for item in items:", "for item in reversed(items):"),),
        in_memory("test_dead_letters.py::test_who_failed_waits_with_what_follows_and_all_others_flow", "-one by one"),
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
        in_memory(f"test_letters_exactly_once.py::{COMES_ONCE}", "-single"),
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
        in_memory("test_dead_letters.py::test_who_failed_waits_with_what_follows_and_all_others_flow", "-batches"),
    ),
    Bug(
        "a commit without an answer is repeated",
        (
            Edit(f"{VIEW}/effects.py", "            if self._in_doubt:\n", "            if False:\n"),
            Edit(f"{VIEW}/sql/advance.sql", "\n   AND next_offset IS NOT DISTINCT FROM %(before)s::bigint", ""),
        ),
        in_memory("test_lost_answers.py::test_a_commit_without_an_answer_is_not_repeated", "-single"),
    ),
    Bug(
        "a commit without an answer is taken for somebody else's",
        (Edit(f"{VIEW}/effects.py", "            if self._in_doubt:\n", "            if False:\n"),),
        in_memory("test_lost_answers.py::test_a_commit_without_an_answer_is_not_repeated", "-single"),
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
        in_memory("test_progress.py::test_what_nobody_wants_moves_the_offset", "-one by one"),
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
        ("tests/integration/test_letters.py::test_a_key_is_worked_off_in_order_and_then_flows",),
    ),
    Bug(
        "the view forgets the positions of what was set aside",
        (Edit(f"{VIEW}/effects.py", "reached, self._progress.last_position or None)", "reached, None)"),),
        in_memory(f"test_letters_exactly_once.py::{COMES_ONCE}", "-single"),
    ),
    Bug(
        "a connection that breaks while only the offset moves ends the consumer",
        (Edit(f"{DELIVERY}/batches.py", "if not items and not self._handling.waits_out(error):", "if not items:"),),
        in_memory("test_lost_answers.py::test_connections_that_break_while_only_the_offset_moves_end_nothing"),
    ),
)
