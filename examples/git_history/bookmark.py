"""How far an import has come: an entity in the stack itself, so that an interrupted import goes on from there."""

from __future__ import annotations

from dataclasses import dataclass, field

from eskit.client import Connections, Entities
from eskit.errors import NotFound
from examples.git_history.stack import StackError

BOOKMARK_TYPE = "git.Import"


@dataclass(frozen=True)
class Bookmark:
    """`first`: the history's first commit, which tells repositories apart. Everything up to `done` is in the stack.

    `target` is the commit that the import is on its way to. `checkpoints`: positions of the log at which the
    entities are as these commits have their paths.
    """

    first: str
    target: str
    done: str | None = None
    checkpoints: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the import has come to its end."""
        return self.done == self.target


def kept_in(crud: Connections) -> Entities[Bookmark]:
    """All of them; the id of one is the entity type of its import."""
    return Entities(crud, BOOKMARK_TYPE, Bookmark)


async def load(entities: Entities[Bookmark], entity_type: str) -> Bookmark | None:
    """The bookmark of what is imported under an entity type; None when nothing is."""
    try:
        return (await entities.get(entity_type)).document
    except NotFound:
        return None


async def create(entities: Entities[Bookmark], entity_type: str, bookmark: Bookmark) -> None:
    """The bookmark of an import that begins."""
    await entities.create(bookmark, ident=entity_type)


async def move(entities: Entities[Bookmark], entity_type: str, bookmark: Bookmark) -> None:
    """Change the bookmark. An older value than the true one costs time at the next start, nothing else."""
    await entities.put(entity_type, bookmark, version="*")


def position_in(bookmark: Bookmark, entity_type: str, commits: list[str]) -> int:
    """How many commits of this history are in the stack; raises StackError when it holds another history."""
    other = "choose another --entity-type for this one"
    if bookmark.first != commits[0]:
        raise StackError(
            f"{entity_type} already holds another repository's history, the one that starts with commit "
            f"{bookmark.first[:12]} (this one starts with {commits[0][:12]}): {other}"
        )
    if bookmark.done is None:
        return 0
    try:
        return commits.index(bookmark.done) + 1
    except ValueError:
        raise StackError(
            f"{entity_type} holds this history up to commit {bookmark.done[:12]}, which is not in it any more "
            f"(rewritten, or another branch): {other}"
        ) from None
