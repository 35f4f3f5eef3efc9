"""Child processes of ours: each in a session of its own, gone when its parent is, stopped politely, then by force."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

GUARD = Path(__file__).with_name("guard.py")
POLL_S = 0.02

Say = Callable[[str], None]


@dataclass(frozen=True)
class SystemUser:
    """A user of the operating system that a server runs as, where we are root and it must not be."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Program:
    """What to run, and as whom. `env` is the whole environment; None takes ours."""

    argv: tuple[str, ...]
    env: Mapping[str, str] | None = field(default=None, repr=False)  # may hold a password
    cwd: Path | None = None
    user: SystemUser | None = None
    death_signal: signal.Signals = signal.SIGTERM  # what it gets when we die


def spawn(program: Program, *, output: int | IO[bytes], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a program; its output and its errors go to `output`.

    Call it from a thread that lives as long as the program shall: the kernel's notice of a parent's death is about the
    thread that started the child. The session of its own keeps a Ctrl-C on the terminal from reaching it: the order in
    which things stop is ours.
    """
    uid, gid = (program.user.uid, program.user.gid) if program.user else (-1, -1)
    guard = [
        sys.executable,
        "-I",
        "-S",
        str(GUARD),
        str(os.getpid()),
        str(int(program.death_signal)),
        str(uid),
        str(gid),
    ]
    return subprocess.Popen(
        [*guard, *program.argv],
        env=program.env,
        cwd=program.cwd,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], how: signal.Signals, *, grace_s: float) -> bool:
    """Ask a child to end; kill it with everything it started when it has not within `grace_s`. True if it obeyed."""
    send(process, how)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        kill(process)
        return False
    return True


def send(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Signal a child that may just have ended."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(how)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a child and everything in its session at once."""
    if process.poll() is None:  # not yet reaped, so its number is still its own
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Server:
    """A child that runs until it is told to stop, and what it says in a log file; can be launched again."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, program: Program, *, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            self._process = spawn(program, output=output, stdin=stdin)
        return self._process

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> bool:
        """True when it is ready, False when it has ended instead; one that does neither in time is killed."""
        wait_for(lambda: not self.alive() or ready(), timeout_s=timeout_s)
        if self.alive() and not ready():
            self.kill()
        return self.alive()

    def stop(self, how: signal.Signals, *, grace_s: float) -> None:
        if self._process is not None:
            stop(self._process, how, grace_s=grace_s)

    def kill(self) -> None:
        if self._process is not None:
            kill(self._process)

    def last_words(self, lines: int = 15) -> str:
        """The end of the log, for an error's message."""
        text = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(text[-lines:]) or "(it said nothing)"


def watch(program: Program, heard: Callable[[str], None], *, timeout_s: float) -> int:
    """Run a program to its end and pass on each line as it comes; its exit code, or TimeoutError."""
    process = spawn(program, output=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101  it is a pipe
    lines = process.stdout
    reader = threading.Thread(target=_read, args=(lines, heard))
    reader.start()
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{program.argv[0]} did not end in {timeout_s:.0f} s") from None
    finally:
        kill(process)  # nothing to do where it has ended
        reader.join()
        lines.close()


def _read(lines: IO[bytes], heard: Callable[[str], None]) -> None:
    for line in lines:
        heard(line.decode(errors="replace").rstrip())


def wait_for(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Poll a condition that has no signal of its own; False when the time is up."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
