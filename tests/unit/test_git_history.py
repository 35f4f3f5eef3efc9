"""The git example's pure part: reading what git says, ids for every path, one step for every change."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eskit import names
from examples.git_history.history import (
    Change,
    Commit,
    Document,
    NotGitError,
    Versions,
    document,
    entity_id,
    idempotency_key,
    parse_log,
    parse_tree,
    printable,
)
from examples.git_history.repository import Repository, Sizes
from examples.git_history.sample import ODD_PATHS, make

A, B = "a" * 40, "b" * 40
ADDED = f":000000 100644 {'0' * 40} {A} A".encode()
LOG = b"\0".join(
    [
        A.encode(), b"10", b"Ada", b":100 looks like a change", b"\n" + ADDED, b"a\nb", ADDED, B.encode(),
        B.encode(), b"20", b"", b"", A.encode(), b"30", b"J\xff", b"x", b"",
    ]
)  # fmt: skip
COMMITS = [
    Commit(
        A,
        10,
        "Ada",
        ":100 looks like a change",
        (Change(b"a\nb", "A", "100644", A), Change(B.encode(), "A", "100644", A)),
    ),
    Commit(B, 20, "", "", ()),
    Commit(A, 30, "J\N{REPLACEMENT CHARACTER}", "x", ()),
]


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_a_log_reads_the_same_however_it_arrives(size: int) -> None:
    assert list(parse_log(LOG[at : at + size] for at in range(0, len(LOG), size))) == COMMITS


def test_an_empty_log_has_no_commits() -> None:
    assert list(parse_log([])) == []


@pytest.mark.parametrize(
    "log", [b"abc\x0010\0a\0b\0", A.encode() + b"\0", LOG[: LOG.index(b"a\nb")], LOG.replace(b" A\0", b" R100\0")]
)
def test_a_log_that_is_cut_or_strange_is_refused(log: bytes) -> None:
    with pytest.raises(NotGitError):
        list(parse_log([log]))


def test_a_tree_reads_with_sizes() -> None:
    listing = f"100644 blob {A}      12\ta b\x00160000 commit {B}       -\tsub\0".encode()
    assert parse_tree(listing) == {
        b"a b": {"path": "a b", "mode": "100644", "blob": A, "size": 12},
        b"sub": {"path": "sub", "mode": "160000", "blob": B, "size": None},
    }


@given(st.binary(min_size=1, max_size=300))
def test_every_path_has_an_id_that_the_services_take(path: bytes) -> None:
    ident = entity_id(path)
    assert names.originator_id(ident) == ident
    assert ident.encode() == path or ident.startswith("sha256:")


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_printable_forms_are_printable(one: bytes, two: bytes) -> None:
    assert names._UNPRINTABLE.search(printable(one)) is None
    printable(one).encode()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"a b/c", "a b/c"),
        ("é\N{SNAKE}".encode(), "é\N{SNAKE}"),
        (b"back\\slash", "back\\slash"),
        (b"new\nline\\", "new\\u000aline\\\\"),
        (b"\xff\xe2\x80\xa8", "\\xff\\u2028"),
    ],
)
def test_printable_form(path: bytes, shown: str) -> None:
    assert printable(path) == shown


def test_paths_that_cannot_be_ids_get_substitutes_that_differ() -> None:
    refused = [b"x" * 201, b"a\nb", b"a\xff", b".", b"..", b"sha256:" + b"0" * 64]
    ids = {entity_id(path) for path in refused}
    assert len(ids) == len(refused)
    assert all(ident.startswith("sha256:") for ident in ids)
    assert entity_id(b"x" * 200) == "x" * 200


def test_a_key_names_type_commit_and_path() -> None:
    keys = {idempotency_key(*parts) for parts in [("T", A, "x"), ("U", A, "x"), ("T", B, "x"), ("T", A, "y")]}
    assert len(keys) == 4
    assert idempotency_key("T", A, "x") in keys


def test_a_submodule_has_no_size() -> None:
    assert document(b"sub", "160000", A, 5)["size"] is None


def test_the_nth_change_of_a_path_is_version_n() -> None:
    versions = Versions()
    found = []
    for status, blob in [("A", A), ("M", B), ("D", "0" * 40), ("A", B)]:
        mode = "000000" if status == "D" else "100644"
        commit = Commit(A, 0, "", "", (Change(b"p", status, mode, blob),))
        found += versions.steps(commit, {A: 1, B: 2})
    assert [(s.version, s.creates, s.document and s.document["size"]) for s in found] == [
        (1, True, 1),
        (2, False, 2),
        (3, False, None),
        (4, True, 2),
    ]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    path = tmp_path_factory.mktemp("sample") / "repository"
    make(path, 150)
    return Repository(path)


def test_the_sample_has_every_kind_of_change_and_name(sample: Repository) -> None:
    changes = [change for commit in sample.log("main") for change in commit.changes]
    assert {change.status for change in changes} == set("AMTD")
    assert {change.mode for change in changes} == {"000000", "100644", "100755", "120000", "160000"}
    assert set(ODD_PATHS) <= {change.path for change in changes}
    added = Counter(change.path for change in changes if change.status == "A")
    assert any(times > 1 for times in added.values())  # deleted, and created again
    assert len(sample.first_parents("main")) == 150
    assert sum(not commit.changes for commit in sample.log("main")) > 0


def test_the_steps_of_a_history_end_at_its_tree(sample: Repository) -> None:
    head = sample.commit()
    versions, after = Versions(), dict[str, Document | None]()
    with Sizes(sample) as sizes:
        for commit in sample.log(head):
            for step in versions.steps(commit, sizes.of(commit)):
                assert step.creates == (after.get(step.ident) is None)
                after[step.ident] = step.document
    tree = {entity_id(path): found for path, found in sample.tree(head).items()}
    assert {ident: found for ident, found in after.items() if found is not None} == tree


def test_one_path_of_one_commit(sample: Repository) -> None:
    head = sample.commit()
    for path, found in [*list(sample.tree(head).items())[:30], (b"no such path", None)]:
        assert sample.document(head, path) == found


def test_a_folder_without_a_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotGitError, match="not a git repository with a commit HEAD"):
        Repository(tmp_path).commit()


def test_the_history_is_the_same_under_any_configuration(sample: Repository) -> None:
    plain = list(sample.log("main"))
    for setting in ("log.showSignature true", "log.showRoot false", "log.diffMerges off", "color.ui always",
                    "diff.renames copies", "diff.ignoreSubmodules all"):  # fmt: skip
        subprocess.run(["git", "-C", sample.path, "config", *setting.split()], check=True)
    assert list(sample.log("main")) == plain


def test_a_missing_blob_is_named_whoever_asks_for_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "file").write_text("hello")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    blob = git("rev-parse", "HEAD:file")
    (tmp_path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    repository = Repository(tmp_path)
    said = f"has not got the blob {blob} of 'file'"
    with pytest.raises(NotGitError, match=said):
        repository.tree("HEAD")
    with pytest.raises(NotGitError, match=said):
        repository.document("HEAD", b"file")
    with Sizes(repository) as sizes, pytest.raises(NotGitError, match=said):
        sizes.of(next(repository.log("HEAD")))
