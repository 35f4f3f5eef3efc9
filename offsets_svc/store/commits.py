"""Commits of many requests in one statement: what waits while one is at work goes into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from eskit.errors import EskitError, Overloaded, Unavailable
from eskit.offsets import MAX_COMMITS, Commit, Committed
from eskit.postgres.statements import statement
from eskit.verdicts import verdict
from offsets_svc.store.database import Database

COMMIT = statement("offsets_svc", "commit")
FIRST = statement("offsets_svc", "first_commit")

Outcome = Committed | EskitError
Place = tuple[str, str, int]
Given = tuple[str, Commit]  # the consumer, its commit
Kept = tuple[bool, Committed]  # taken; how the partition stood before

# Commits of one statement; a request may have as many.
MOST = MAX_COMMITS
# Commits that may wait; beyond, the service has no hope to answer in time.
MAX_WAITING = 50_000


class Request(NamedTuple):
    """The commits of one request, and who waits for what becomes of them. None at all: a sign of life."""

    consumer: str
    commits: Sequence[Commit]
    answer: asyncio.Future[list[Outcome]]

    def places(self) -> set[Place]:
        """The rows that it wants to change."""
        return {(self.consumer, c.topic, c.partition) for c in self.commits}


class Committer:
    """Takes requests of any consumers. Two for one partition never share a statement, and keep their order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Request] = []
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    async def commit(self, consumer: str, commits: Sequence[Commit]) -> list[Outcome]:
        """Store offsets; of each commit, in order, what is stored or why it was refused. Raises Unavailable."""
        if self._count + len(commits) > MAX_WAITING:
            raise Overloaded(f"{self._count} commits wait already; try again")
        request = Request(consumer, commits, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._count += len(commits)
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        # Shielded: a client that leaves must not take the answer from the statement that others share.
        return await asyncio.shield(request.answer)

    async def close(self) -> None:
        """Let what waits come to its end."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._store(self._next())
        finally:
            self._task = None

    def _next(self) -> list[Request]:
        taken: list[Request] = []
        left: list[Request] = []
        places: set[Place] = set()
        count = 0
        for request in self._waiting:
            wanted = request.places()
            if places & wanted or (taken and count + len(request.commits) > MOST):
                left.append(request)
            else:
                taken.append(request)
                count += len(request.commits)
            # Also of what is left: nobody may overtake it.
            places |= wanted
        self._waiting = left
        self._count -= count
        return taken

    async def _store(self, requests: list[Request]) -> None:
        given = [(request.consumer, commit) for request in requests for commit in request.commits]
        try:
            outcomes = iter(await self._outcomes(given, sorted({request.consumer for request in requests})))
        except Exception as error:  # noqa: BLE001 - each who waits gets it
            for request in requests:
                if not request.answer.done():
                    request.answer.set_exception(_own(error))
                    request.answer.exception()  # whose client has left, nobody asks for it
            return
        for request in requests:
            own = [next(outcomes) for _ in request.commits]
            if not request.answer.done():
                request.answer.set_result(own)

    async def _outcomes(self, given: Sequence[Given], seen: list[str]) -> list[Outcome]:
        """Store commits to different partitions; of each, in order, what became of it."""
        found = await self._kept(given, seen)
        first = [number for number, one in enumerate(given) if number not in found and _may_be_first(one[1])]
        if first:
            new = [given[number] for number in first]
            await self._database.rows(FIRST, _places(new))
            found |= {first[number]: kept for number, kept in (await self._kept(new, [])).items()}
        return [_outcome(commit, found.get(number)) for number, (_, commit) in enumerate(given)]

    async def _kept(self, given: Sequence[Given], seen: list[str]) -> dict[int, Kept]:
        """Run the statement; by the commits' numbers, how their partitions stood. Unknown ones are left out."""
        rows = await self._database.rows(COMMIT, _places(given) | {
            "seen": seen,
            "offsets": [c.offset for _, c in given],
            "positions": [c.position for _, c in given],
            "epochs": [c.epoch or 0 for _, c in given],
            "topic_ids": [c.topic_id for _, c in given],
            "expects": [c.expected is not UNSET for _, c in given],
            "expected": [c.expected if isinstance(c.expected, int) else None for _, c in given],
        })  # fmt: skip
        return {number - 1: (taken, Committed(*stood)) for number, taken, *stood in rows}


def _places(given: Sequence[Given]) -> dict[str, Any]:
    return {
        "consumers": [name for name, _ in given],
        "topics": [c.topic for _, c in given],
        "partitions": [c.partition for _, c in given],
    }


def _may_be_first(commit: Commit) -> bool:
    """Without a claim, and not in the belief that there is something."""
    return not commit.epoch and not isinstance(commit.expected, int)


def _own(error: Exception) -> Exception:
    """An exception for each: one that several raise would collect the tracebacks of all."""
    return type(error)(*error.args) if isinstance(error, Unavailable) else error


def _outcome(commit: Commit, kept: Kept | None) -> Outcome:
    taken, before = kept or (False, None)
    if before is None or not taken:
        return verdict(commit, before) or EskitError("a commit was refused, and the rule does not say why")
    position = before.position if commit.position is None else commit.position
    topic_id = before.topic_id or commit.topic_id
    return Committed(commit.topic, commit.partition, commit.offset, position, before.epoch, topic_id)
