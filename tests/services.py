"""Services under test: settings for a log of one's own, services in this process or in processes to kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, Self

import aiohttp
import msgspec
from aiohttp import web

from eskit.lifecycle import serving
from eskit.postgres.migrations import Schema, migrate
from eskit.settings import Settings, variable
from infra.local.ports import free_port

ROOT = Path(__file__).parents[1]
SCHEMAS = (("eventstore", "eventstore_svc"), ("crud", "crud_svc"), ("offsets", "offsets_svc"))


def config_for(database_url: str, bootstrap: str = "", **more: Any) -> Settings:
    """Settings whose services listen on free ports."""
    names = ("eventstore_port", "crud_port", "offsets_port", "relay_port", "metrics_port", "view_port")
    ports = dict.fromkeys(names, 0)
    return Settings(database_url=database_url, kafka_bootstrap=bootstrap, **{**ports, **more})


def own_log(database_url: str, bootstrap: str, **more: Any) -> Settings:
    """Settings of a log that nobody else uses (the broker is shared by all tests), with its schemas made."""
    config = config_for(database_url, bootstrap, log=f"t{uuid.uuid4().hex[:12]}", **more)
    for service, package in SCHEMAS:
        migrate(database_url, Schema(config.schema(service), package))
    return config


@asynccontextmanager
async def running(app: web.Application, config: Settings, port_setting: str) -> AsyncIterator[str]:
    """A service in this process; its URL."""
    async with serving(app, config, port_setting) as url:
        yield url


class ServiceProcess:
    """`python -m <module>` with these settings, to be stopped, continued and killed."""

    def __init__(self, module: str, config: Settings, port_setting: str, **environ: str) -> None:
        """Not started yet. The port is chosen here and stays."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", module]
        self._environ = os.environ | environment(config) | {variable(port_setting): str(self.port)} | environ
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start; does not wait for readiness."""
        self._process = subprocess.Popen(self._command, env=self._environ, cwd=ROOT, stderr=self._log, stdout=self._log)
        return self

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signum)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)

    def close(self) -> None:
        """Kill it, also when it is stopped, and forget its output."""
        self.signal(signal.SIGCONT)
        self.kill()
        self._log.close()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout_s: float = 15.0) -> int:
        """Wait for the end; the exit code."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def output(self) -> str:
        """What it has printed so far."""
        self._log.seek(0)
        return self._log.read().decode()

    async def readiness(self) -> tuple[int, dict[str, Any]]:
        """Status and body of /readyz; (0, {}) while nothing listens."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/readyz") as response:
                return response.status, await response.json()
        except aiohttp.ClientError:
            return 0, {}

    async def ready(self, timeout_s: float = 30.0) -> Self:
        """Wait until it says it is ready."""

        async def is_ready() -> bool:
            return (await self.readiness())[0] == 200

        await until(is_ready, timeout_s, lambda: self.output()[-3000:])
        return self


@contextmanager
def processes(*started: ServiceProcess) -> Iterator[None]:
    """Kill them at the end, whatever happens."""
    try:
        yield
    finally:
        for process in started:
            process.close()


def environment(config: Settings) -> dict[str, str]:
    """The settings that differ from the defaults as environment variables."""
    defaults = Settings()
    values = {name: getattr(config, name) for name in Settings.__struct_fields__}
    return {
        variable(name): value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in values.items()
        if value != getattr(defaults, name)
    }


async def until(condition: Callable[[], Any], timeout_s: float = 30.0, say: Callable[[], Any] = lambda: "") -> Any:
    """Wait for an (async) condition to become true; its value. Fails with what `say` says when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {condition}; {say()}")
        await asyncio.sleep(0.02)
