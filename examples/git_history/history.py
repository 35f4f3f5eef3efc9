"""What a git history is made of, and the steps that it means for the entities: pure functions, no input or output."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from eskit import names
from eskit.errors import InvalidRequest

# One commit of `git log -z --format=LOG_FORMAT --raw`: these fields, then two texts for each change.
LOG_FORMAT = "%H%x00%ct%x00%an%x00%s"
FIELDS = LOG_FORMAT.count("%x00") + 1

SUBSTITUTE = "sha256:"
SUBMODULE = "160000"

_STEPS = uuid5(NAMESPACE_URL, "https://eskit.dev/examples/git-history")
_NEEDS_ESCAPE = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]")

Document = dict[str, Any]


class NotGitError(Exception):
    """What git said cannot be read; the message is for a person."""


def missing_blob(blob: str, path: str) -> NotGitError:
    """The error for a blob whose size git cannot tell."""
    return NotGitError(
        f"the repository has not got the blob {blob} of {path!r}: it is damaged or not cloned as a whole "
        "(`git fsck` lists all that is missing)"
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit did to one path, against its first parent. A deletion has mode 000000."""

    path: bytes
    status: str  # A added, M modified, T changed its type (file, link, submodule), D deleted
    mode: str
    blob: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the first-parent history. `time` in seconds since 1970, as the committer's clock said."""

    sha: str
    time: int
    author: str
    subject: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One event to be: the n-th change of a path is version n of its entity. `document` is None for a deletion."""

    ident: str
    version: int
    creates: bool
    document: Document | None


def entity_id(path: bytes) -> str:
    """The entity's id: the path itself, or `sha256:` and the hash of its bytes where a path cannot be an id.

    That is so for a path over 200 bytes, with control characters, or not in UTF-8. A path that looks like such a
    substitute gets one too, so that no two paths share an id.
    """
    try:
        text = names.originator_id(path.decode())
    except (UnicodeDecodeError, InvalidRequest):
        text = SUBSTITUTE
    return SUBSTITUTE + hashlib.sha256(path).hexdigest() if text.startswith(SUBSTITUTE) else text


def printable(path: bytes) -> str:
    """The path as text. Where it holds control characters or is not UTF-8: escaped, with backslashes doubled."""
    text = path.decode(errors="surrogateescape")
    odd = any(match[0] != "\\" for match in _NEEDS_ESCAPE.finditer(text))
    return _NEEDS_ESCAPE.sub(_escaped, text) if odd else text


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\\":
        return "\\\\"
    code = ord(character)
    if code >= 0xDC80:
        return f"\\x{code - 0xDC00:02x}"  # a byte that is not UTF-8
    return f"\\u{code:04x}"


def document(path: bytes, mode: str, blob: str, size: int | None) -> Document:
    """What an entity says of its path. A submodule has no size here: its commit lives in another repository."""
    return {"path": printable(path), "mode": mode, "blob": blob, "size": None if mode == SUBMODULE else size}


def idempotency_key(entity_type: str, commit: str, ident: str) -> UUID:
    """The event id of a step, the same in every run."""
    return uuid5(_STEPS, f"{entity_type}\n{commit}\n{ident}")


def parse_log(chunks: Iterable[bytes]) -> Iterator[Commit]:
    """The commits of a `git log -z --raw`, as they come; raises NotGitError."""
    fields: list[str] = []
    changes: list[Change] = []
    raw: bytes | None = None
    for token in _tokens(chunks):
        if raw is not None:
            changes.append(_change(raw, token))
            raw = None
        elif len(fields) < FIELDS:
            fields.append(token.decode(errors="replace"))
        elif (stripped := token.lstrip(b"\n")).startswith(b":"):
            raw = stripped
        elif stripped:
            yield _commit(fields, changes)
            fields, changes = [stripped.decode(errors="replace")], []
    if raw is not None or 0 < len(fields) < FIELDS:
        raise NotGitError("git log ended in the middle of a commit")
    if fields:
        yield _commit(fields, changes)


def _tokens(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest.strip(b"\n"):
        yield rest


def _commit(fields: list[str], changes: list[Change]) -> Commit:
    sha, time, author, subject = fields
    if not re.fullmatch(r"[0-9a-f]{40,64}", sha) or not re.fullmatch(r"-?\d+", time):
        raise NotGitError(f"git log has {sha[:80]!r} where a commit should start")
    return Commit(sha, int(time), author, subject, tuple(changes))


def _change(raw: bytes, path: bytes) -> Change:
    parts = raw[1:].decode("ascii", "replace").split(" ")
    if len(parts) != 5 or parts[4][:1] not in {"A", "M", "T", "D"}:
        raise NotGitError(f"git log has a change that is none of A, M, T, D: {raw[:120]!r}")
    _, mode, _, blob, status = parts
    return Change(path, status[0], mode, blob)


def parse_tree(listing: bytes) -> dict[bytes, Document]:
    """The documents of `git ls-tree -r -z -l`, by path."""
    found: dict[bytes, Document] = {}
    for entry in listing.split(b"\0")[:-1]:
        head, tab, path = entry.partition(b"\t")
        parts = head.decode("ascii", "replace").split()
        if not tab or len(parts) != 4:
            raise NotGitError(f"git ls-tree has an entry that cannot be read: {entry[:120]!r}")
        mode, _, blob, size = parts
        if size != "-" and not size.isdigit():  # git says BAD
            raise missing_blob(blob, printable(path))
        found[path] = document(path, mode, blob, None if size == "-" else int(size))
    return found


class Versions:
    """Numbers the changes of every path, in the order of the history."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def steps(self, commit: Commit, sizes: Mapping[str, int | None]) -> list[Step]:
        """What a commit means for the entities. `sizes` has those of its blobs."""
        steps = []
        for change in commit.changes:
            ident = entity_id(change.path)
            version = self.last[ident] = self.last.get(ident, 0) + 1
            gone = change.status == "D"
            after = None if gone else document(change.path, change.mode, change.blob, sizes.get(change.blob))
            steps.append(Step(ident, version, change.status == "A", after))
        return steps
