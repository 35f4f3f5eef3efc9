"""Compares git with three answers of the stack: the topic's tree, every entity over REST, and old versions replayed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eskit.client import Entities
from eskit.errors import Deleted, NotFound
from examples.git_history.history import Document, Versions, entity_id
from examples.git_history.repository import Repository
from examples.git_history.stack import IN_FLIGHT
from examples.git_history.tree import Entry

T = TypeVar("T")

REPLAYED = 200


@dataclass(frozen=True)
class Sample:
    """One change of one path: after it, the entity is as the commit has the path."""

    ident: str
    version: int
    commit: str
    path: bytes


@dataclass(frozen=True)
class Truth:
    """What git says of a commit: every path that ever was, with its version; documents of those that are.

    The versions come from the log, the documents from the commit's tree: each would show what the other has lost.
    """

    versions: dict[str, int]
    documents: dict[str, Document]
    samples: list[Sample]
    events: int

    def entry(self, ident: str) -> Entry:
        """What the stack should say of an entity. Version 0, which none has, where the log does not know the path."""
        return Entry(ident, self.versions.get(ident, 0), self.documents.get(ident))

    def idents(self) -> set[str]:
        """Every entity of which git says something."""
        return {*self.versions, *self.documents}


@dataclass(frozen=True)
class Mismatch:
    """One answer that is not git's."""

    source: str
    ident: str
    expected: object
    got: object

    def __str__(self) -> str:
        return f"{self.source}: {self.ident!r}\n    git says   {self.expected}\n    stack says {self.got}"


@dataclass
class Comparison:
    """Of one source: how many answers were compared, and which differ."""

    source: str
    compared: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    def check(self, ident: str, expected: object, got: object) -> None:
        """Compare one answer."""
        self.compared += 1
        if expected != got:
            self.mismatches.append(Mismatch(self.source, ident, expected, got))


def ask_git(repository: Repository, commit: str, seed: int) -> Truth:
    """Walk the history once more; the documents come from the commit's own tree, not from the walk."""
    versions, samples, events = Versions(), list[Sample](), 0
    rng = random.Random(seed)  # noqa: S311 - chooses what to test
    for one in repository.log(commit):
        for step, change in zip(versions.steps(one, {}), one.changes, strict=True):
            # A reservoir: every change so far has the same chance to be in it.
            place = events if events < REPLAYED else rng.randrange(events + 1)
            if place < REPLAYED:
                samples[place : place + 1] = [Sample(step.ident, step.version, one.sha, change.path)]
            events += 1
    documents = {entity_id(path): document for path, document in repository.tree(commit).items()}
    return Truth(versions.last, documents, samples, events)


def compare_topic(truth: Truth, entries: dict[str, Entry], complaints: Iterable[str]) -> Comparison:
    """The tree that the consumer has folded."""
    found = Comparison("topic")
    known = truth.idents()
    for ident in sorted(known | entries.keys()):
        expected = truth.entry(ident) if ident in known else None
        found.check(ident, _said(expected), _said(entries.get(ident)))
    found.mismatches += [
        Mismatch("topic", complaint, "every event once, in order", "it was not") for complaint in complaints
    ]
    return found


async def compare_rest(truth: Truth, entities: Entities[dict[str, Any]]) -> Comparison:
    """GET of every entity that git ever had; of deleted ones 410 is wanted."""
    found = Comparison("REST")

    async def one(ident: str) -> None:
        entry = await _get(entities, ident)
        found.check(ident, _said(truth.entry(ident)), _said(entry))

    await _all(sorted(truth.idents()), one)
    return found


async def compare_replay(truth: Truth, entities: Entities[dict[str, Any]], repository: Repository) -> Comparison:
    """Old versions, replayed, against the commits that made them."""
    found = Comparison("replay")

    async def one(sample: Sample) -> None:
        expected = await asyncio.to_thread(repository.document, sample.commit, sample.path)
        got = await _get(entities, sample.ident, sample.version)
        found.check(sample.ident, _said(Entry(sample.ident, sample.version, expected)), _said(got))

    await _all(truth.samples, one)
    return found


async def _get(entities: Entities[dict[str, Any]], ident: str, version: int | None = None) -> Entry | None:
    try:
        entity = await entities.get(ident, version=version)
    except Deleted as error:
        return Entry(ident, error.extra.get("version", 0), None)
    except NotFound:
        return None
    return Entry(ident, entity.version, entity.document)


def _said(entry: Entry | None) -> dict[str, Any] | str:
    if entry is None:
        return "no such entity"
    return {"version": entry.version, **(entry.document if entry.document is not None else {"deleted": True})}


async def _all(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do the work for every item, as many at once as the example keeps in flight."""
    iterator = iter(items)

    async def worker() -> None:
        for item in iterator:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())
