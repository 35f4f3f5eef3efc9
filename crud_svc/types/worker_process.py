"""The process beside the service for what could keep the service's own for long, or take it down."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

import msgspec

from crud_svc.types.worker import LENGTH_BYTES, Reply, Task
from eskit import logs
from eskit.errors import Overloaded, Unavailable

log = logs.get(__name__)

LIMIT_S = 5.0  # of one task
START_S = 30.0
MAX_WAITING = 32

_encode = msgspec.json.Encoder().encode
_reply = msgspec.json.Decoder(Reply)


class TookTooLong(Exception):
    """A task was not done within its time, or the process died of it. The process is a new one next time."""


class WorkerProcess:
    """One process, one task at a time. It is started by the first task, and anew after one that took too long."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        """`limit_s`: how long a task may take."""
        self._limit_s = limit_s
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: Process | None = None

    async def do(self, task: Task) -> Reply:
        """Raises TookTooLong; Overloaded where too many wait; Unavailable where no process can be started."""
        if self._waiting >= MAX_WAITING:
            raise Overloaded("Too many documents wait to be validated")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._done(await self._started(), _encode(task))
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()

    async def _done(self, process: Process, task: bytes) -> Reply:
        assert process.stdin is not None  # noqa: S101 - narrows the type: it was started with pipes
        try:
            async with asyncio.timeout(self._limit_s):
                process.stdin.write(len(task).to_bytes(LENGTH_BYTES, "big") + task)
                await process.stdin.drain()
                return await _received(process)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            log.warning("a validation was given up", reason=type(error).__name__, limit_s=self._limit_s)
            await asyncio.shield(self.close())
            raise TookTooLong from None
        except BaseException:
            await asyncio.shield(self.close())  # its reply would be taken for that of the next task
            raise

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "crud_svc.types.worker", stdin=PIPE, stdout=PIPE
            )
            try:
                async with asyncio.timeout(START_S):
                    await _received(self._process)
            except (TimeoutError, asyncio.IncompleteReadError) as error:
                await asyncio.shield(self.close())
                raise Unavailable("The process that validates does not start; its standard error says why") from error
            except BaseException:
                await asyncio.shield(self.close())
                raise
        return self._process


async def _received(process: Process) -> Reply:
    assert process.stdout is not None  # noqa: S101 - narrows the type: it was started with pipes
    head = await process.stdout.readexactly(LENGTH_BYTES)
    return _reply.decode(await process.stdout.readexactly(int.from_bytes(head, "big")))
