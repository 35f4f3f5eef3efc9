"""Compares lists with git: searches of what is there now, and everything as it was at some commits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from eskit.client import Connections, Entities, Query, Types
from examples.git_history.compare import Comparison, Truth
from examples.git_history.history import Document, entity_id
from examples.git_history.repository import Repository

DIRECTORIES = 20
LARGEST = 50
PAGE = 1000
# What has just been imported must be in the lists.
PATIENCE_S = 30.0
# What the searches need, once there are many files.
INDEXES = ("path", "size")

Files = Entities[dict[str, Any]]


async def declare_indexes(crud: Connections, entity_type: str) -> None:
    """Have paths and sizes indexed. Declared again, nothing changes."""
    types = Types(crud)
    for field in INDEXES:
        await types.declare_index(entity_type, field)


async def compare_searches(truth: Truth, entities: Files, seed: int) -> Comparison:
    """Files by directory, and the largest ones by size."""
    found = Comparison("searches")
    for directory in _directories(truth.documents.values(), seed):
        expected = {i: d for i, d in truth.documents.items() if str(d["path"]).startswith(directory)}
        got = await _listed(entities, Query(where={"path.prefix": directory}, sort="path", wait_s=PATIENCE_S))
        found.check(f"all of {directory}", expected, got)
    # A submodule has no size.
    sizes = sorted((d["size"] for d in truth.documents.values() if d["size"] is not None), reverse=True)
    page = await entities.list(Query(where={"size.gte": 0}, sort="-size", wait_s=PATIENCE_S), limit=LARGEST)
    found.check("the largest", sizes[:LARGEST], [entity.document["size"] for entity in page.entities])
    if sizes:
        least = sizes[min(len(sizes), LARGEST) - 1]
        expected = {i: d for i, d in truth.documents.items() if (d["size"] or 0) > least}
        got = await _listed(entities, Query(where={"size.gt": least}, wait_s=PATIENCE_S))
        found.check(f"all over {least} bytes", expected, got)
    return found


async def compare_past(entities: Files, repository: Repository, checkpoints: Mapping[str, int]) -> Comparison:
    """Every file as it was when the log ended at a position, against the tree of the commit that had just come in."""
    found = Comparison("lists of the past")
    for sha, position in checkpoints.items():
        tree = await asyncio.to_thread(repository.tree, sha)
        expected = {entity_id(path): document for path, document in tree.items()}
        got = await _listed(entities, Query(position=position))
        for ident in sorted(expected.keys() | got.keys()):
            found.check(ident, expected.get(ident, "no such entity"), got.get(ident, "no such entity"))
    return found


def _directories(documents: Any, seed: int) -> list[str]:
    paths = [str(document["path"]) for document in documents]
    directories = sorted({path[: path.rindex("/") + 1] for path in paths if "/" in path})
    rng = random.Random(seed)  # noqa: S311 - chooses what to test
    return rng.sample(directories, min(DIRECTORIES, len(directories)))


async def _listed(entities: Files, wanted: Query) -> dict[str, Document]:
    found: dict[str, Document] = {}
    async for page in entities.pages(wanted, limit=PAGE):
        found.update((entity.id, entity.document) for entity in page.entities)
    return found
