"""Asks git: the history of a repository, the sizes of its blobs, a commit's tree."""

from __future__ import annotations

import subprocess
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from examples.git_history.history import (
    LOG_FORMAT,
    SUBMODULE,
    Commit,
    Document,
    NotGitError,
    missing_blob,
    parse_log,
    parse_tree,
    printable,
)

CHUNK_BYTES = 1 << 16
SIZES_AT_ONCE = 500  # both pipes hold that many lines, so that neither side waits for the other
SIZES_KEPT = 50_000

# Everything a user's configuration could change is said: the same history for everybody.
LOG = (
    "log", "--first-parent", "--diff-merges=first-parent", "--reverse", "--root", "--raw", "-z", "--no-renames",
    "--no-abbrev", "--no-relative", "--ignore-submodules=none", "--no-show-signature", "--no-color", "--encoding=UTF-8",
    f"--format={LOG_FORMAT}",
)  # fmt: skip


class Repository:
    """A git repository in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def commit(self, name: str = "HEAD") -> str:
        """The id of a commit; raises NotGitError when there is none of that name."""
        try:
            return self._read("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").decode().strip()
        except NotGitError as error:
            raise NotGitError(f"{self.path} is not a git repository with a commit {name}: {error}") from error

    def first_parents(self, head: str) -> list[str]:
        """The ids of the first-parent history's commits, oldest first."""
        return self._read("rev-list", "--first-parent", "--reverse", head).decode().split()

    def log(self, head: str) -> Iterator[Commit]:
        """The first-parent history, oldest first."""
        with self._piped(*LOG, head) as (process, out):
            yield from parse_log(iter(lambda: out.read1(CHUNK_BYTES), b""))  # type: ignore[attr-defined]
            if process.wait() != 0:
                raise NotGitError(f"git log of {self.path} failed")

    def tree(self, commit: str) -> dict[bytes, Document]:
        """Every path of a commit."""
        return parse_tree(self._read("ls-tree", "-r", "-z", "-l", "--full-tree", commit))

    def document(self, commit: str, path: bytes) -> Document | None:
        """One path of a commit; None where the commit has it not."""
        listing = self._read("--literal-pathspecs", "ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", path)
        return parse_tree(listing).get(path)

    def _command(self, *arguments: str | bytes) -> list[str | bytes]:
        return ["git", "-C", str(self.path), *arguments]

    def _read(self, *arguments: str | bytes) -> bytes:
        try:
            done = subprocess.run(self._command(*arguments), capture_output=True, check=False)
        except FileNotFoundError:
            raise NotGitError("the program git is not installed") from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise NotGitError(said or f"git ended with exit code {done.returncode}")
        return done.stdout

    @contextmanager
    def _piped(self, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        process = subprocess.Popen(self._command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert process.stdout is not None  # noqa: S101 - we asked for a pipe
        try:
            yield process, process.stdout
        finally:
            process.terminate()
            process.communicate()


class Sizes:
    """The sizes of blobs, from one `git cat-file` for all of them. A context manager."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: OrderedDict[str, int] = OrderedDict()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = ["git", "-C", str(self._repository.path), "cat-file", "--batch-check=%(objectsize)"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def of(self, commit: Commit) -> dict[str, int]:
        """The sizes of a commit's new blobs; raises NotGitError for one that this repository has not got."""
        blobs = {c.blob: c.path for c in commit.changes if c.status != "D" and c.mode != SUBMODULE}
        unknown = [blob for blob in blobs if blob not in self._known]
        for start in range(0, len(unknown), SIZES_AT_ONCE):
            self._ask(unknown[start : start + SIZES_AT_ONCE])
        for blob, path in blobs.items():
            if blob not in self._known:
                raise missing_blob(blob, printable(path))
        sizes = {blob: self._known[blob] for blob in blobs}
        while len(self._known) > SIZES_KEPT:
            self._known.popitem(last=False)
        return sizes

    def _ask(self, blobs: Iterable[str]) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise NotGitError("git cat-file does not run")
        blobs = list(blobs)
        process.stdin.write("".join(f"{blob}\n" for blob in blobs).encode())
        process.stdin.flush()
        for blob in blobs:
            answer = process.stdout.readline().strip()
            if not answer:
                raise NotGitError(f"git cat-file of {self._repository.path} ended")
            if answer.isdigit():  # else git says that it has not got it
                self._known[blob] = int(answer)
