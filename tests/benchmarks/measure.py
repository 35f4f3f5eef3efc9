"""Rounds, medians, and the table they end in."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eskit.settings import Settings, variable
from infra.local.ports import free_port
from tests.services import ROOT, environment


def say(line: str) -> None:
    """Tell the person at the terminal, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def program(*arguments: str, environ: dict[str, str] | None = None) -> Iterator[None]:
    """A server process for the time inside."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, env=environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def peer(kind: str, database_url: str) -> Iterator[int]:
    """A peer, on the port that is answered."""
    port = free_port()
    with program("tests.benchmarks.peers", kind, str(port), database_url):
        wait_for(port)
        yield port


@contextmanager
def service(module: str, config: Settings, port_setting: str, log_level: str = "warning") -> Iterator[int]:
    """One of our services in a process of its own, on the port that is answered."""
    port = free_port()
    environ = (
        dict(os.environ)
        | environment(config)
        | {
            variable(port_setting): str(port),
            "ESKIT_LOG_LEVEL": log_level,
        }
    )
    with program(module, environ=environ):
        wait_for(port)
        yield port


def wait_for(port: int, timeout_s: float = 20.0) -> None:
    """Until something answers HTTP there, whatever it says."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=1).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    message = f"nothing answers on port {port}"
    raise TimeoutError(message)


def many_files() -> None:
    """Thousands of connections, for this process and those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 10_000), hard), hard))


def child(*arguments: str) -> bytes:
    """What a program of ours prints."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300).stdout


def load(port: int, kind: str, requests: int, clients: int = 64) -> dict[str, float]:
    """One round of the load generator, in a process of its own."""
    result: dict[str, float] = json.loads(child("tests.benchmarks.load", str(port), kind, str(requests), str(clients)))
    if result["failed"]:
        say(f"  {result['failed']:.0f} of {requests} requests failed")
    return result


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure the median over the rounds."""
    return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}


def row(name: str, *cells: Any) -> str:
    """A line of a Markdown table."""
    return f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |"
