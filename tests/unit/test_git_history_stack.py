"""The git example's other half: what is sent, how far it has come, the fold of the events, the comparison."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from eskit.client import Entity
from eskit.errors import NotFound
from eskit.events import Event, Originator
from eskit.settings import Settings
from examples.git_history import topic
from examples.git_history.bookmark import Bookmark, position_in
from examples.git_history.compare import Truth, compare_rest, compare_topic
from examples.git_history.history import Commit, Step
from examples.git_history.importer import Progress, about
from examples.git_history.report import Report
from examples.git_history.stack import StackError
from examples.git_history.tree import Entry, Summary, Tree, read, written

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMIT = Commit("a" * 40, 1_700_000_000, "Ada Lovelace", "Add", ())
STEP = Step("p", 1, creates=True, document={})


def event(ident: str, version: int, action: str, payload: Any) -> Event:
    return Event(
        position=1, event_id=UUID(int=1), originator=Originator(ident, version), entity_type="git.File",
        event_type=f"git.File.{action}", payload=msgspec.Raw(msgspec.json.encode(payload)), metadata={},
        occurred_on=NOW, recorded_at=NOW,
    )  # fmt: skip


def test_headers_are_ascii_and_short_whatever_the_commit_says() -> None:
    snake = "\N{SNAKE}"
    commit = Commit("a" * 40, -5, snake * 1000, snake * 10_000 + "\n\x1b", ())
    found = about("git.File", commit, STEP).headers()
    assert "Eskit-User" not in found
    assert found["Eskit-Occurred-On"] == "1970-01-01T00:00:00+00:00"
    assert all(value.isascii() and value.isprintable() and len(value) < 8000 for value in found.values())
    assert json.loads(found["Eskit-Metadata"])["message"].startswith(snake)


def test_who_and_when_are_the_commits_and_the_key_is_the_same_in_every_run() -> None:
    said = about("git.File", COMMIT, STEP)
    assert (said.user, said.occurred_on) == ("Ada Lovelace", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    assert said == about("git.File", COMMIT, STEP)


def test_a_commit_is_done_when_it_and_all_before_it_are_stored() -> None:
    steps: list[int] = []
    progress = Progress(steps.append)
    change: Any = object()
    for sha, size in [("a", 2), ("b", 1), ("c", 0), ("d", 1)]:
        progress.begin(Commit(sha, 0, "", "", (change,) * size))
    done = []
    for sha in ("b", "a", "a", "d"):
        progress.arrived(sha)
        done.append(progress.done)
    assert done == [None, None, "c", "d"]
    assert steps == [1, 1, 1, 1]


def test_a_bookmark_tells_how_much_of_a_history_is_there() -> None:
    commits = ["a", "b", "c"]
    assert position_in(Bookmark("a", "c"), "git.File", commits) == 0
    assert position_in(Bookmark("a", "c", "b"), "git.File", commits) == 2
    with pytest.raises(StackError, match="another repository's history"):
        position_in(Bookmark("x", "c", "b"), "git.File", commits)
    with pytest.raises(StackError, match="not in it any more"):
        position_in(Bookmark("a", "c", "x"), "git.File", commits)


def test_the_tree_is_the_fold_of_the_events() -> None:
    tree = Tree()
    for one in (
        event("p", 1, "Created", {"mode": "100644", "size": 1}),
        event("q", 1, "Created", {"mode": "100644"}),
        event("p", 2, "Updated", {"merge_patch": {"size": 2, "more": {"a": 1}}}),
        event("p", 3, "Updated", {"merge_patch": {"more": None}}),
        event("q", 2, "Deleted", {}),
        event("p", 4, "Updated", {"json_patch": [{"op": "replace", "path": "/size", "value": None}]}),
        event("p", 5, "Noted", {"size": 9}),
        event("q", 3, "Restored", {"mode": "120000"}),
        event("q", 4, "Deleted", {}),
    ):
        tree.apply(one)
    assert list(tree.entries()) == [Entry("p", 5, {"mode": "100644", "size": None}), Entry("q", 4, None)]
    assert (tree.events, tree.complaints) == (9, [])


def test_the_tree_complains_of_what_comes_twice_or_is_missing() -> None:
    tree = Tree()
    for version in (1, 1, 3):
        tree.apply(event("p", version, "Created", {}))
    assert tree.complaints == ["'p': version 1 came after version 1", "'p': version 3 came after version 1"]


def test_what_the_tree_program_writes_can_be_read() -> None:
    tree = Tree()
    tree.apply(event("new\u2028line", 1, "Created", {"size": 1}))
    output = read(b"".join(written(tree, 1.5)).splitlines())
    assert output.entries == {"new\u2028line": Entry("new\u2028line", 1, {"size": 1})}
    assert output.summary == Summary(1, 1.5, [])


def test_the_comparison_finds_what_differs_is_missing_and_is_too_much() -> None:
    truth = Truth({"a": 1, "b": 2, "c": 3, "d": 4}, {"a": {"size": 1}, "b": {"size": 2}, "c": {"size": 3}}, [], 10)
    entries = {
        "a": Entry("a", 1, {"size": 1}),
        "b": Entry("b", 2, {"size": 9}),
        "d": Entry("d", 4, None),
        "e": Entry("e", 1, {}),
    }
    found = compare_topic(truth, entries, ["'a': version 1 came after version 1"])
    assert found.compared == 5
    assert [mismatch.ident for mismatch in found.mismatches] == ["b", "c", "e", "'a': version 1 came after version 1"]
    report = Report("a" * 40, 1, 10, None, Summary(3, 0.0, []), [found], 1)
    assert report.mismatches == 4
    assert any(line.startswith("mismatches") and line.endswith("4") for line in report.lines())


class Stored:
    """The CRUD service's client, with these documents at version 1."""

    def __init__(self, documents: dict[str, Any]) -> None:
        self._documents = documents

    async def get(self, ident: str, *, version: int | None = None) -> Entity[dict[str, Any]]:
        if ident not in self._documents:
            raise NotFound(ident)
        document = self._documents[ident]
        return Entity(id=ident, version=version or 1, position=1, document=document, body=msgspec.json.encode(document))


@pytest.mark.parametrize("stored", [["a"], ["a", "lost"]])
async def test_a_path_of_the_tree_that_the_log_has_lost_is_a_mismatch(stored: list[str]) -> None:
    documents = {"a": {"path": "a"}, "lost": {"path": "lost"}}
    truth = Truth(versions={"a": 1}, documents=documents, samples=[], events=1)
    in_stack = {ident: documents[ident] for ident in stored}
    entities: Any = Stored(in_stack)
    for found in (
        compare_topic(truth, {ident: Entry(ident, 1, document) for ident, document in in_stack.items()}, []),
        await compare_rest(truth, entities),
    ):
        assert found.compared == 2
        assert [mismatch.ident for mismatch in found.mismatches] == ["lost"]


class Stalled:
    """A consumer to whom nothing comes."""

    def __init__(self, _: str) -> None:
        self.consumer = self
        self._stopped = asyncio.Event()

    async def run(self, _: Settings) -> None:
        await self._stopped.wait()

    async def caught_up(self, _: int) -> None:
        await asyncio.Event().wait()

    def stop(self) -> None:
        self._stopped.set()

    def seen(self) -> int:
        return 7


async def test_a_tree_that_never_comes_names_what_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic, "TopicReader", Stalled)
    monkeypatch.setattr(topic, "STALL_S", 0.01)
    with pytest.raises(StackError, match=r"7 have come: does the relay run\? .*only tree program of the type"):
        await topic.fold(Settings(), "git.File", 1)
