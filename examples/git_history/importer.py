"""Imports a history through the CRUD service: 32 requests in flight, each path's changes in their order."""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from eskit import times
from eskit.client import About, Connections, Entities
from eskit.errors import Conflict, Deleted, NotFound, PreconditionFailed
from examples.git_history import bookmark as bookmarks
from examples.git_history.bookmark import Bookmark
from examples.git_history.checkpoints import Checkpoints
from examples.git_history.history import Commit, Step, Versions, idempotency_key
from examples.git_history.repository import Repository, Sizes
from examples.git_history.stack import IN_FLIGHT, StackError

QUEUE = 200
COMMITS_AT_ONCE = 100
SAVE_EVERY_COMMITS = 50
LOOK_EVERY_S = 0.1
# A header line must stay under 8 KB, and a character can take 12 bytes in it.
MAX_AUTHOR, MAX_MESSAGE = 100, 300
LAST_SECOND = 253_402_300_799  # of the year 9999

_PRINTABLE = re.compile(r"[\x20-\x7e]{1,256}")


@dataclass(frozen=True)
class Imported:
    """What an import has done."""

    commits: int
    events: int
    seconds: float
    before: int  # commits that were in the stack already


@dataclass
class Progress:
    """Which commits are in the stack with all their changes: the changes of several are on their way at once."""

    advanced: Callable[[int], object]
    done: str | None = None
    commits: int = 0
    _pending: dict[str, int] = field(default_factory=dict)
    _order: deque[str] = field(default_factory=deque)

    def begin(self, commit: Commit) -> None:
        """The changes of a commit set out."""
        self._pending[commit.sha] = len(commit.changes)
        self._order.append(commit.sha)
        self._advance()

    def arrived(self, sha: str) -> None:
        """One change of a commit is stored."""
        self._pending[sha] -= 1
        self._advance()

    def _advance(self) -> None:
        while self._order and self._pending[self._order[0]] == 0:
            self.done = self._order.popleft()
            del self._pending[self.done]
            self.commits += 1
            self.advanced(1)


def about(entity_type: str, commit: Commit, step: Step) -> About:
    """What a step's event says beside the document. The key is the same in every run, so no step is stored twice."""
    return About(
        key=str(idempotency_key(entity_type, commit.sha, step.ident)),
        user=commit.author if _PRINTABLE.fullmatch(commit.author) else None,
        correlation_id=commit.sha,
        metadata={
            "commit": commit.sha,
            "author": commit.author[:MAX_AUTHOR],
            "message": commit.subject[:MAX_MESSAGE],
        },
        occurred_on=times.moment(min(max(commit.time, 0), LAST_SECOND) * 1_000_000),
    )


class Importer:
    """Sends steps to the CRUD service. A worker owns the paths whose hash is its number, so their order is kept."""

    def __init__(self, crud: Connections, entity_type: str) -> None:
        self._entities = Entities(crud, entity_type)
        self._bookmarks = bookmarks.kept_in(crud)
        self._type = entity_type
        self._queues: list[asyncio.Queue[tuple[Commit, Step]]] = [asyncio.Queue(QUEUE) for _ in range(IN_FLIGHT)]
        self._checkpoints = Checkpoints([], 0)
        self._events = 0

    async def run(self, repository: Repository, head: str, advanced: Callable[[int], object]) -> Imported:
        """Import up to a commit, from where the last import ended; raises StackError, NotGitError, Unavailable."""
        started = time.monotonic()
        commits = repository.first_parents(head)
        mark = await self._bookmark(commits)
        before = bookmarks.position_in(mark, self._type, commits)
        advanced(before)
        progress = Progress(advanced, mark.done)
        self._checkpoints = Checkpoints(commits, before)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._work(queue, progress)) for queue in self._queues]
                tasks.append(group.create_task(self._save(mark, progress)))
                await self._feed(repository, head, before, progress)
                await self._all_stored()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        checkpoints = self._checkpoints.with_earlier(mark.checkpoints)
        await bookmarks.move(self._bookmarks, self._type, replace(mark, done=progress.done, checkpoints=checkpoints))
        return Imported(len(commits) - before, self._events, time.monotonic() - started, before)

    async def _bookmark(self, commits: list[str]) -> Bookmark:
        mark = await bookmarks.load(self._bookmarks, self._type)
        if mark is None:
            mark = Bookmark(commits[0], commits[-1])
            await bookmarks.create(self._bookmarks, self._type, mark)
        bookmarks.position_in(mark, self._type, commits)
        mark = replace(mark, target=commits[-1])
        await bookmarks.move(self._bookmarks, self._type, mark)
        return mark

    async def _feed(self, repository: Repository, head: str, before: int, progress: Progress) -> None:
        with Sizes(repository) as sizes:
            steps = _steps(repository, head, before, sizes)
            # git is asked in a thread, for many commits at once, so that it does not hold up the answers.
            while batch := await asyncio.to_thread(lambda: list(islice(steps, COMMITS_AT_ONCE))):
                for commit, its_steps in batch:
                    progress.begin(commit)
                    for step in its_steps:
                        number = zlib.crc32(step.ident.encode()) % IN_FLIGHT
                        await self._queues[number].put((commit, step))
                    if self._checkpoints.wanted(commit.sha):
                        await self._all_stored()
                        self._checkpoints.take(commit.sha)

    async def _all_stored(self) -> None:
        for queue in self._queues:
            await queue.join()

    async def _work(self, queue: asyncio.Queue[tuple[Commit, Step]], progress: Progress) -> None:
        while True:
            commit, step = await queue.get()
            await self._send(commit, step)
            self._events += 1
            progress.arrived(commit.sha)
            queue.task_done()

    async def _send(self, commit: Commit, step: Step) -> None:
        said = about(self._type, commit, step)
        # The n-th change of a path makes version n, so what it is based on is known without reading.
        based_on = step.version - 1
        version = step.version
        try:
            if step.document is None:
                position = await self._entities.delete(step.ident, version=based_on, about=said)
            elif step.creates:
                made = await self._entities.create(step.document, ident=step.ident, about=said)
                version, position = made.version, made.position
            else:
                made = await self._entities.put(step.ident, step.document, version=based_on, about=said)
                version, position = made.version, made.position
        except (PreconditionFailed, Conflict, Deleted, NotFound) as error:
            raise _diverged(self._type, commit, step, error.detail) from error
        if version != step.version:
            raise _diverged(self._type, commit, step, f"it became version {version}")
        self._checkpoints.stored(commit.sha, position)

    async def _save(self, mark: Bookmark, progress: Progress) -> None:
        saved = 0
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if progress.commits >= saved + SAVE_EVERY_COMMITS:
                saved = progress.commits
                await bookmarks.move(self._bookmarks, self._type, replace(mark, done=progress.done))


def _steps(repository: Repository, head: str, before: int, sizes: Sizes) -> Iterator[tuple[Commit, list[Step]]]:
    """Commits and their steps; those that are in the stack already only count."""
    versions = Versions()
    for number, commit in enumerate(repository.log(head)):
        known = number < before
        steps = versions.steps(commit, {} if known else sizes.of(commit))
        if not known:
            yield commit, steps


def _diverged(entity_type: str, commit: Commit, step: Step, said: str) -> StackError:
    return StackError(
        f"{entity_type} {step.ident!r} cannot take commit {commit.sha[:12]} as version {step.version}: {said}. "
        "Something other than this import has changed it, or it is another repository's: choose another --entity-type"
    )
