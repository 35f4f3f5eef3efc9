"""What runs in this checkout: a lock that one stack holds, and a file that says how to reach it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from infra.local.processes import wait_for

HOME = Path(".eskit")
LOCK_TIMEOUT_S = 0.5  # somebody who only looks holds the lock for a moment


class AlreadyRunsError(Exception):
    """A stack of this checkout runs already."""


@dataclass(frozen=True)
class LastRun:
    """What is kept of a run, in its time and after it."""

    environment: dict[str, str] = field(default_factory=dict, repr=False)  # holds a password
    ports: list[int] = field(default_factory=list)  # those that our own processes listen on
    kafka: str = ""  # the kind of our own broker; empty for somebody else's
    up: bool = False  # with the lock free it means that the run did not end in good order


class State:
    """The folder `.eskit`, or another one in a test."""

    def __init__(self, home: Path = HOME) -> None:
        self.home = home.absolute()
        self._file = self.home / "run.json"
        self._lock = self.home / "run.lock"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the lock; AlreadyRunsError when somebody does. The kernel drops it however the holder ends."""
        self.home.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            if not wait_for(lambda: _locked(lock.fileno()), timeout_s=LOCK_TIMEOUT_S):
                raise AlreadyRunsError(f"a stack runs already in {self.home.parent}: `make env` tells where")
            yield

    def is_running(self) -> bool:
        if not self._lock.exists():
            return False
        with self._lock.open("a") as lock:
            return not _locked(lock.fileno())

    def write(self, last: LastRun) -> None:
        """Keep the addresses, for `env` and for the next start. They hold a password: for the owner's eyes only."""
        unfinished = self._file.with_suffix(".unfinished")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(last), file, indent=2)
        unfinished.rename(self._file)

    def read(self) -> LastRun:
        """The run of now, or the last one; an empty one when there was none."""
        return LastRun(**json.loads(self._file.read_text())) if self._file.exists() else LastRun()


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
