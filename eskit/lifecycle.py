"""The life of a process: settings, logs, signals, start, drain, stop. Every service's `main` is one call of `run`."""

from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from eskit import __version__, logs, settings
from eskit.errors import EskitError, SettingsError
from eskit.settings import Settings, variable
from eskit.web.server import Runner

log = logs.get(__name__)

AppFactory = Callable[[Settings], web.Application]
OTHER_FILES = 200  # beside connections of clients: the database, logs, libraries
Work = Callable[[web.Application], Awaitable[None]]


def run(name: str, description: str, port_setting: str, factory: AppFactory, work: Work | None = None) -> int:
    """Run a service until SIGINT or SIGTERM; the process's exit code.

    `work` is a process's own job beside HTTP (the relay, a consumer); when it ends or fails, the process stops.
    """
    parser = argparse.ArgumentParser(
        description=description, epilog="Settings come from ESKIT_* environment variables."
    )
    parser.add_argument("--version", action="version", version=f"eskit {__version__}")
    parser.parse_args()
    try:
        config = settings.load()
        logs.configure(config, name)
        serve(name, config, port_setting, factory, work)
    except EskitError as error:
        sys.stderr.write(f"{name}: {error.detail}\n")
        return 1
    return 0


def serve(name: str, config: Settings, port_setting: str, factory: AppFactory, work: Work | None = None) -> None:
    """The same with settings that are loaded, in a program that has read its arguments. Raises what `work` raises."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(name, config, port_setting, factory, work))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - it does not exist on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(name: str, config: Settings, port_setting: str, factory: AppFactory, work: Work | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    app = factory(config)
    _allow_files(config.max_connections + OTHER_FILES)
    async with serving(app, config, port_setting) as url:
        _collect_seldom()
        log.info("listening", url=url, version=__version__, settings=config.shown())
        waits: list[asyncio.Future[Any]] = [asyncio.create_task(stop.wait())]
        if work is not None:
            waits.append(asyncio.ensure_future(work(app)))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping", reason="signal" if stop.is_set() else "its work has ended")
        for task in waits:
            task.cancel()
        results = await asyncio.gather(*waits, return_exceptions=True)
    log.info("stopped", service=name)
    for result in results:
        if isinstance(result, Exception):
            raise result


def _collect_seldom() -> None:
    """Garbage, but for cycles, goes at once; looking for those as often as Python does costs a small request 6 %."""
    gc.collect()
    gc.freeze()  # what is there by now stays
    gc.set_threshold(10_000, 20, 50)


def _allow_files(wanted: int) -> None:
    """As many open files as connections may need, as far as the system lets us."""
    try:
        import resource  # noqa: PLC0415 - it does not exist on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("fewer open files than connections may need", allowed=allowed, wanted=wanted)


async def _listen(runner: Runner, config: Settings, port_setting: str) -> None:
    port = getattr(config, port_setting)
    try:
        await web.TCPSite(runner, config.host, port, reuse_address=True, backlog=1024).start()
    except OSError as error:
        # Consumers are started as often as one likes, on one machine too; nobody has asked for this very port.
        if error.errno != errno.EADDRINUSE or port_setting != "consumer_port" or port != Settings().consumer_port:
            raise
        log.warning("the port is taken, another is used", port=port, setting=variable(port_setting))
        await web.TCPSite(runner, config.host, 0, reuse_address=True, backlog=1024).start()


@asynccontextmanager
async def serving(app: web.Application, config: Settings, port_setting: str) -> AsyncIterator[str]:
    """Listen while inside; answers the URL. At the end requests in flight get `shutdown_s` to finish."""
    runner = Runner(app, config)
    await runner.setup()
    try:
        port = getattr(config, port_setting)
        try:
            await _listen(runner, config, port_setting)
        except (OSError, socket.gaierror) as error:
            message = f"cannot listen on {config.host}:{port} ({error.strerror}); change {variable(port_setting)}"
            raise SettingsError(message, field=variable(port_setting)) from error
        actual = runner.addresses[0][1]
        host = f"[{config.host}]" if ":" in config.host else config.host
        yield f"http://{host}:{actual}"
    finally:
        await runner.cleanup()
