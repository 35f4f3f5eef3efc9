"""A local stack as a process, with stand-in services, for tests that stop, kill and question it."""

import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.ports import free_port, is_taken
from infra.local.processes import wait_for

ROOT = Path(__file__).parents[2]
STACK = Path(__file__).with_name("standin_stack.py")
TIMEOUT_S = 40.0


@dataclass(frozen=True)
class RunningStack:
    """The process, and the file that has every line it said."""

    home: Path
    process: subprocess.Popen[bytes]
    said: Path

    @property
    def output(self) -> str:
        return self.said.read_text()

    def wait_until_said(self, text: str, *, times: int = 1) -> None:
        assert wait_for(lambda: self.output.count(text) >= times, timeout_s=TIMEOUT_S), self.output

    def wait(self) -> int:
        return self.process.wait(TIMEOUT_S)


def command_of(home: Path, *services: str) -> list[str]:
    return [sys.executable, str(STACK), str(home), *services]


def environment() -> dict[str, str]:
    ours = {"PYTHONPATH": str(ROOT), "ESKIT_KAFKA": "builtin", "ESKIT_POSTGRES_PORT": str(free_port())}
    return {**os.environ, **ours}


def refused_stack(home: Path, *services: str) -> str:
    """What one says that must not start."""
    done = subprocess.run(
        command_of(home, *services), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr


@contextmanager
def running_stack(home: Path, *services: str, through_make: bool = False, **env: str) -> Iterator[RunningStack]:
    """Start one in a process group of its own, as a terminal does; it is gone afterwards in any case."""
    command = command_of(home, *services)
    if through_make:
        # The form of the recipe is that of `make run`.
        makefile = home.with_name("Makefile")
        makefile.write_text(f"run:\n\t@{shlex.join(command)}\n")
        command = ["make", "--no-print-directory", "-f", str(makefile), "run"]
    said = home.with_name("said")
    with said.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment() | env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield RunningStack(home, process, said)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert wait_for(lambda: not left_behind(home), timeout_s=TIMEOUT_S), left_behind(home)


def left_behind(home: Path, *ports: int) -> list[str]:
    """What still works on that folder or listens on these ports."""
    asked = subprocess.run(["ps", "-ww", "-eo", "args="], capture_output=True, text=True, check=True)
    processes = [line for line in asked.stdout.splitlines() if str(home) in line]
    return processes + [f"port {port}" for port in ports if is_taken(port)]


def process_of(port: int) -> int:
    """The number of the stand-in service's process."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/pid", timeout=5) as answer:
        return int(answer.read())
