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

Outcome = Committed | EskitError
Place = tuple[str, str, int]

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
        try:
            after = {(row[0], row[1], row[2]): Committed(*row[1:]) for row in await self._rows(requests)}
        except Exception as error:  # noqa: BLE001 - each who waits gets it
            for request in requests:
                if not request.answer.done():
                    request.answer.set_exception(_own(error))
                    request.answer.exception()  # whose client has left, nobody asks for it
            return
        for request in requests:
            if not request.answer.done():
                stored = [after.get((request.consumer, c.topic, c.partition)) for c in request.commits]
                request.answer.set_result([_outcome(c, s) for c, s in zip(request.commits, stored, strict=True)])

    async def _rows(self, requests: list[Request]) -> list[tuple[Any, ...]]:
        given = [(request.consumer, commit) for request in requests for commit in request.commits]
        return await self._database.rows(COMMIT, {
            "consumers": [name for name, _ in given],
            "seen": sorted({request.consumer for request in requests}),
            "topics": [c.topic for _, c in given],
            "partitions": [c.partition for _, c in given],
            "offsets": [c.offset for _, c in given],
            "positions": [c.position for _, c in given],
            "epochs": [c.epoch or 0 for _, c in given],
            "topic_ids": [c.topic_id for _, c in given],
            "expects": [c.expected is not UNSET for _, c in given],
            "expected": [c.expected if isinstance(c.expected, int) else None for _, c in given],
        })  # fmt: skip


def _own(error: Exception) -> Exception:
    """An exception for each: one that several raise would collect the tracebacks of all."""
    return type(error)(*error.args) if isinstance(error, Unavailable) else error


def _outcome(commit: Commit, stored: Committed | None) -> Outcome:
    refused = verdict(commit, stored)
    if refused is not None:
        return refused
    if stored is None:
        raise EskitError("a commit was taken and its row is not there")
    return stored
