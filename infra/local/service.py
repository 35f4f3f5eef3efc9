"""One of our services as a child process: its output on the terminal and in a file, its readiness over HTTP."""

import contextlib
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from infra.local import processes
from infra.local.ports import LOOPBACK
from infra.local.processes import Program, Say

READY_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class ServiceSpec:
    """What to run; the port it listens on, and the variable that changes it."""

    name: str
    argv: tuple[str, ...]
    port: int
    port_variable: str
    stop_s: float = 5.0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


class ServiceProcess:
    """A service that can be started again after it ended."""

    def __init__(self, spec: ServiceSpec, env: Mapping[str, str], log: Path, say: Say) -> None:
        self.spec = spec
        self._env = env
        self._log = log
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        log.write_bytes(b"")  # of this run only

    def start(self) -> None:
        self._join_reader()
        self._process = processes.spawn(Program(self.spec.argv, env=self._env), output=subprocess.PIPE)
        assert self._process.stdout is not None  # noqa: S101  it is a pipe
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    def stop(self, *, grace_s: float) -> None:
        if self._process is not None:
            processes.stop(self._process, signal.SIGTERM, grace_s=grace_s)
            self._join_reader()

    def kill(self) -> None:
        if self._process is not None:
            processes.kill(self._process)
            self._join_reader()

    def readiness(self) -> tuple[bool, str]:
        """Whether it is ready, and what it says when it is not."""
        return readiness(f"{self.spec.url}/readyz")

    def _read(self, lines: IO[bytes]) -> None:
        with self._log.open("ab") as log, contextlib.closing(lines):
            for line in lines:
                log.write(line)
                log.flush()
                self._say(line.decode(errors="replace").rstrip())

    def _join_reader(self) -> None:
        if self._reader is not None:
            # A grandchild that keeps the pipe open must not hold us up.
            self._reader.join(timeout=1.0)


def readiness(url: str) -> tuple[bool, str]:
    """Ask a /readyz; anything but 200 is "not ready", with what it said."""
    try:
        with urllib.request.urlopen(url, timeout=READY_TIMEOUT_S) as answer:  # noqa: S310  our own, on http
            return bool(answer.status == 200), ""
    except urllib.error.HTTPError as error:
        with error:
            return False, error.read(2000).decode(errors="replace").strip() or str(error)
    except OSError as error:
        return False, str(getattr(error, "reason", error))
