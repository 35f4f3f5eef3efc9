"""The example consumer in Go: found, built, run as processes whose lines of effect go to one file."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from eskit.settings import Settings
from tests.integration.consuming import Topic
from tests.services import ROOT, ServiceProcess

SOURCE = ROOT / "examples" / "go_consumer"
# Go's installer puts it there, and leaves PATH to its user.
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"])


class Go(NamedTuple):
    """The command `go`, and the consumer that it has built."""

    command: str
    consumer: Path

    def run(self, *arguments: str) -> str:
        """What the command prints. A failure shows it, and fails the test."""
        return _run([self.command, *arguments])

    def unformatted(self) -> str:
        """The files that `gofmt` would change."""
        return _run([str(Path(self.command).with_name("gofmt")), "-l", "."])


def build(folder: Path) -> Go:
    """Build the consumer; skips the test where there is no Go, or its modules cannot be had."""
    command = shutil.which("go", path=SEARCHED)
    if command is None:
        pytest.skip("needs Go, which is neither on the PATH nor in /usr/local/go")
    # Also a newer Go, when the installed one is too old for the modules.
    fetched = subprocess.run(
        [command, "mod", "download"], cwd=SOURCE, capture_output=True, text=True, timeout=300, check=False
    )
    if fetched.returncode != 0:
        pytest.skip(f"Go's modules cannot be downloaded: {fetched.stderr.strip()}")
    go = Go(command, folder / "go_consumer")
    go.run("build", "-o", str(go.consumer), ".")
    return go


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Line(NamedTuple):
    """An effect."""

    member: str
    partition: int
    position: int
    event: dict[str, Any]


class Effects:
    """The file that the processes write to, in the order of writing."""

    def __init__(self, path: Path) -> None:
        """The file is made."""
        self.path = path
        path.touch()

    def lines(self) -> list[Line]:
        # A process that is killed while it writes may leave a part of a line; only the last can be one.
        whole = self.path.read_text().rpartition("\n")[0]
        found = [json.loads(line) for line in whole.splitlines()]
        return [Line(event["member"], event["partition"], event["position"], event) for event in found]

    def of(self, number: int) -> list[int]:
        """The positions of a partition."""
        return [line.position for line in self.lines() if line.partition == number]

    def by(self, member: GoMember) -> int:
        """How many a process has written."""
        return sum(line.member.split()[1] == str(member.pid) for line in self.lines())

    def more_by(self, member: GoMember, *, than: int) -> bool:
        return self.by(member) > than

    def complete(self, positions: range) -> bool:
        return {line.position for line in self.lines()} >= set(positions)


class GoMember(ServiceProcess):
    """A process of the consumer `billing`, unless the arguments name another."""

    def __init__(self, go: Go, config: Settings, effects: Effects, *arguments: str) -> None:
        """Not started yet."""
        super().__init__("", config, "consumer_port")
        self._command = [str(go.consumer), *arguments]
        self._effects = effects

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start; its effects are appended."""
        with self._effects.path.open("ab") as effects:
            self._process = subprocess.Popen(
                self._command, env=self._environ, cwd=ROOT, stdout=effects, stderr=self._log
            )
        return self


class Members:
    """Starts processes, kills them all at the end."""

    def __init__(self, go: Go, config: Settings, effects: Effects) -> None:
        self._all: list[GoMember] = []
        self._go, self._config, self._effects = go, config, effects

    def start(self, *arguments: str) -> GoMember:
        member = GoMember(self._go, self._config, self._effects, *arguments)
        self._all.append(member)
        return member.start()

    def close(self) -> None:
        for member in self._all:
            member.close()


class Publisher:
    """Publishes a few events now and then, until it is cancelled."""

    def __init__(self, topic: Topic) -> None:
        """Nothing is published yet."""
        self.last = 0
        self._topic = topic

    async def run(self) -> None:
        while True:
            self._topic.add_positions(range(self.last + 1, self.last + 51))
            self.last += 50
            await asyncio.sleep(0.1)
