"""Makes a repository to try the import on: real files, and every kind of change and name that git allows."""

from __future__ import annotations

import random
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

START = 1_600_000_000  # seconds since 1970 of the first commit
MAX_FILE_BYTES = 12_000
KINDS = {".py": 4000, ".pyi": 800, ".txt": 400, ".md": 400}  # suffix: most files taken

AUTHORS = ("Ada Lovelace", "Grace Hopper", "José Núñez", "Ελένη", "O'Brien, Pat", "山田")
SUBJECTS = ("Add", "Fix the case of", "Rework", "Tidy up", "Überarbeite", "Speed up", 'Describe "again" \\ \N{SNAKE}')

# What URLs, JSON, shells and consoles trip over.
ODD_PATHS = (
    b"docs/read me.txt",
    "docs/grüße/日本語.md".encode(),
    "docs/\N{SNAKE}\N{ZERO WIDTH JOINER}\N{FIRE}.txt".encode(),
    "docs/e\N{COMBINING ACUTE ACCENT}".encode(),  # beside the next one: the same to the eye
    "docs/é".encode(),
    b"odd/%2F%00%.txt",
    b"odd/a?b#c&d=e+f;g,h@i:j|k<l>m*n",
    b"odd/{id}/{id:.*}",
    b"odd/quote\"d's `$(x)`",
    b"odd/back\\slash\\n",
    b"odd/ ends with a dot and a space. ",
    b"odd/...",
    b"-rf",
    b":(glob)**",
    b"history",
    b"odd/History",
    b"odd/" + b"n" * 196,  # 200 bytes: the longest path that is an id
    b"odd/" + b"n" * 197,
    b"odd/deep" + b"/deeper" * 60,
    b"odd/new\nline",
    b"odd/tab\tand\x7fdelete",
    b"odd/not \xff\xfe UTF-8 \\",
    b"odd/half a surrogate \xed\xa0\x80",
    "odd/line\u2028end".encode(),
    b"sha256:" + b"0" * 64,
)

File = tuple[str, bytes]  # mode; content, a link's target, a submodule's commit


def make(target: Path, commits: int, seed: int = 1) -> None:
    """Make a bare repository with that many commits on its first-parent line; the same seed, the same repository."""
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(target)], check=True)
    command = ["git", "-C", str(target), "fast-import", "--quiet", "--date-format=raw"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - we asked for a pipe
        Writer(process.stdin, random.Random(seed)).write(commits)  # noqa: S311 - test data
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)


class Writer:
    """Writes the stream of `git fast-import`, and knows the tree as it stands."""

    def __init__(self, out: IO[bytes], rng: random.Random) -> None:
        self._out = out
        self._rng = rng
        self._tree: dict[bytes, File] = {}
        self._gone: list[bytes] = []
        self._new = _contents(rng)
        self._number = 0
        self._tip = 0  # the mark of the last commit

    def write(self, commits: int) -> None:
        """All commits: now and then one without a change, and a merge of a side branch."""
        for number in range(commits):
            if number % 20 == 19:
                self._merge(number)
            elif number % 50 == 34:
                self._commit("main", number, {}, [self._tip])
            else:
                self._commit("main", number, self._changes(number), [self._tip] if number else [])

    def _merge(self, number: int) -> None:
        side = self._changes(number)
        before = self._tip
        self._commit("side", number, side, [before])
        self._commit("main", number, side, [before, self._tip])

    def _commit(self, branch: str, number: int, changes: dict[bytes, File | None], parents: list[int]) -> None:
        rng = self._rng
        author = rng.choice(AUTHORS)
        names = [path.rpartition(b"/")[2].decode(errors="replace") for path in list(changes)[:2]]
        message = f"{rng.choice(SUBJECTS)} {' and '.join(names)}\n\nThe second paragraph of {number}.\n".encode()
        who = f"{author} <{number % 7}@example.org> {START + number * 3600} +0100".encode()
        self._tip += 1
        lines = [f"commit refs/heads/{branch}".encode(), b"mark :%d" % self._tip, b"author " + who,
                 b"committer " + who, b"data %d" % len(message), message]  # fmt: skip
        lines += [b"%s :%d" % (word, parent) for word, parent in zip((b"from", b"merge"), parents, strict=False)]
        # Deletions first: a file may have made room for a folder of its name.
        for path, file in sorted(changes.items(), key=lambda item: item[1] is not None):
            lines.append(b"D " + _quoted(path) if file is None else _modify(path, file))
        self._out.write(b"\n".join(lines) + b"\n\n")

    def _changes(self, number: int) -> dict[bytes, File | None]:
        changes: dict[bytes, File | None] = {}
        if number % 3 == 0 and number // 3 < len(ODD_PATHS):
            changes[ODD_PATHS[number // 3]] = ("100644", b"odd %d\n" % number)
        if number in {80, 120}:
            changes[ODD_PATHS[0]] = None if ODD_PATHS[0] in self._tree else ("100644", b"back again\n")
        for _ in range(self._rng.choice((1, 1, 2, 2, 3, 5))):
            self._one(changes, number)
        for path, file in changes.items():
            if file is None:
                self._tree.pop(path)
                self._gone.append(path)
            else:
                self._tree[path] = file
        return changes

    def _one(self, changes: dict[bytes, File | None], number: int) -> None:
        there = [path for path in self._rng.sample(sorted(self._tree), min(8, len(self._tree))) if path not in changes]
        kinds: list[Callable[[], dict[bytes, File | None]]] = [self._add]
        if there:
            path = there[0]
            edit, remove = self._edit, self._delete
            kinds = [self._add, self._add, *[lambda: edit(path, number)] * 5, lambda: remove(path),
                     lambda: self._rename(path), lambda: self._change_mode(path), self._create_again]  # fmt: skip
        for path, file in self._rng.choice(kinds)().items():
            if path not in changes and (file is None or not self._in_the_way(path, changes)):
                changes[path] = file

    def _in_the_way(self, path: bytes, changes: dict[bytes, File | None]) -> bool:
        """Whether a file has the name of one of the path's folders, or a folder the path's name."""
        taken = {*self._tree, *changes}
        parts = path.split(b"/")
        above = {b"/".join(parts[:n]) for n in range(1, len(parts))}
        return bool(above & taken) or any(other.startswith(path + b"/") for other in taken)

    def _add(self) -> dict[bytes, File | None]:
        self._number += 1
        if self._number % 20 == 7:
            return {b"links/%d" % self._number: ("120000", b"../docs/read me.txt")}
        if self._number % 30 == 11:
            return {b"vendor/%d" % self._number: ("160000", b"%040x" % self._rng.getrandbits(160))}
        path, content = next(self._new)
        return {path: ("100644", content)}

    def _edit(self, path: bytes, number: int) -> dict[bytes, File | None]:
        mode, content = self._tree[path]
        if mode == "160000":
            return {path: (mode, b"%040x" % self._rng.getrandbits(160))}
        if mode == "120000":
            return {path: (mode, b"../target %d" % number)}
        lines = content.split(b"\n")
        lines.insert(self._rng.randrange(len(lines)), b"# changed in commit %d" % number)
        return {path: (mode, b"\n".join(lines))}

    def _delete(self, path: bytes) -> dict[bytes, File | None]:
        return {path: None}

    def _rename(self, path: bytes) -> dict[bytes, File | None]:
        self._number += 1
        return {path: None, b"moved/%d/%s" % (self._number, path.rpartition(b"/")[2]): self._tree[path]}

    def _change_mode(self, path: bytes) -> dict[bytes, File | None]:
        mode, content = self._tree[path]
        if mode == "120000":
            return {path: ("100644", content)}  # a link becomes a file
        if mode == "160000":
            return {path: ("120000", b"was/a/submodule")}
        return {path: ("100755" if mode == "100644" else "100644", content)}

    def _create_again(self) -> dict[bytes, File | None]:
        gone = [path for path in self._gone if path not in self._tree]
        return {self._rng.choice(gone): ("100644", b"back again\n")} if gone else self._add()


def _contents(rng: random.Random) -> Iterator[tuple[bytes, bytes]]:
    """Paths and contents of the installed Python packages, shuffled; then made up, without end."""
    root = Path(sysconfig.get_paths()["purelib"])
    found = [file for suffix, most in KINDS.items() for file in sorted(root.rglob(f"*{suffix}"))[:most]]
    rng.shuffle(found)
    for file in found:
        yield b"src/" + file.relative_to(root).as_posix().encode(), file.read_bytes()[:MAX_FILE_BYTES]
    number = 0
    while True:
        number += 1
        yield b"data/%d.txt" % number, rng.randbytes(200).hex().encode()


def _modify(path: bytes, file: File) -> bytes:
    mode, content = file
    if mode == "160000":
        return b"M 160000 %s %s" % (content, _quoted(path))
    return b"M %s inline %s\ndata %d\n%s" % (mode.encode(), _quoted(path), len(content), content)


def _quoted(path: bytes) -> bytes:
    """In git's C style, every byte that is not plain as an octal escape."""
    return b'"%s"' % b"".join(
        b"%c" % byte if 0x20 < byte < 0x7F and byte not in b'"\\' else b"\\%03o" % byte for byte in path
    )
