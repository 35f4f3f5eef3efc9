"""`python -m tests.planted`: plant each bug into a copy of the code, run the tests that must find it, count."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.planted.bugs import BUGS, Bug, Edit
from tests.services import ROOT

COPIED = ("eskit", "eventstore_svc", "crud_svc", "offsets_svc", "consumers", "examples", "infra", "schemas", "tests")
# What a bug makes hang does not pass either.
PATIENCE_S = 300
PASSED, FAILED = 0, 1


class UnfitError(Exception):
    """A bug cannot be planted, or its tests cannot be run: nothing is known of it."""


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"planted: {line}\n")


def copy(folder: Path) -> None:
    """The code and the tests, without what they have left behind."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", ".eskit")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)


def plant(folder: Path, edit: Edit) -> str:
    """Change the text; the file as it was. Raises UnfitError."""
    path = folder / edit.file
    text = path.read_text()
    if text.count(edit.old) != 1:
        raise UnfitError(f"{edit.file}: {edit.old!r} stands there {text.count(edit.old)} times")
    path.write_text(text.replace(edit.old, edit.new))
    return text


def outcome(folder: Path, tests: tuple[str, ...]) -> int:
    """PASSED or FAILED. Raises UnfitError when the tests did not run."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return FAILED
    if done.returncode not in {PASSED, FAILED}:
        raise UnfitError(f"pytest {tests} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-500:]}")
    return done.returncode


def caught(folder: Path, bug: Bug) -> bool:
    """Whether its tests fail with it. The code is afterwards as before."""
    before: dict[str, str] = {}
    try:
        for edit in bug.edits:
            before.setdefault(edit.file, plant(folder, edit))
        return outcome(folder, bug.tests) == FAILED
    finally:
        for file, text in before.items():
            (folder / file).write_text(text)


def sound(folder: Path, bugs: Sequence[Bug]) -> None:
    """Without a bug all these tests must pass, else their failures say nothing. Raises UnfitError."""
    tests = tuple(dict.fromkeys(test for bug in bugs for test in bug.tests))
    if outcome(folder, tests) != PASSED:
        raise UnfitError("the tests fail without a bug")


def main() -> int:
    """0: all were caught. 1: one survived. 2: one could not be planted or run."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("-k", metavar="WORDS", default="", help="only bugs with these words in their names")
    wanted = [bug for bug in BUGS if parser.parse_args().k in bug.name]
    if not wanted:
        parser.error("no bug has these words in its name")
    began, found = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="eskit-planted-") as name:
        folder = Path(name)
        copy(folder)
        try:
            say("the tests without a bug")
            sound(folder, wanted)
            for number, bug in enumerate(wanted, start=1):
                is_caught = caught(folder, bug)
                found += is_caught
                verdict = "caught  " if is_caught else "SURVIVED"
                say(f"{number:2} of {len(wanted)} {verdict} {bug.name} ({time.monotonic() - began:.0f} s)")
        except UnfitError as error:
            say(str(error))
            return 2
    say(f"caught {found} of {len(wanted)}")
    return 0 if found == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
