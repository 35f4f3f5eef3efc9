"""The process that validates beside the service: what takes too long ends, what dies is started anew."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from crud_svc.types import worker_process
from crud_svc.types.schemas import read
from crud_svc.types.validators import Validator
from crud_svc.types.worker import Task
from crud_svc.types.worker_process import TookTooLong, WorkerProcess
from eskit.errors import InvalidRequest, Overloaded, SchemaViolated

# Each level is looked at twice by the level above: two to the power of forty looks.
ENDLESS = """{"$defs": {"a": {"anyOf": [{"properties": {"x": {"$ref": "#/$defs/a"}}, "required": ["x", "y"]},
                                        {"properties": {"x": {"$ref": "#/$defs/a"}}, "required": ["x"]}]}},
              "$ref": "#/$defs/a"}"""


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(levels):
        document = {"x": document}
    return document


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    found = WorkerProcess(limit_s=1.0)
    yield found
    await found.close()


def pid_of(worker: WorkerProcess) -> int | None:
    return None if worker._process is None else worker._process.pid


async def test_a_task_is_done(worker: WorkerProcess) -> None:
    reply = await worker.do(Task('{"required": ["a"]}', "{}"))
    assert [one.schema_pointer for one in reply.violations.listed] == ["/required"]
    assert not (await worker.do(Task('{"multipleOf": 0.01}', "4.35"))).violations
    assert (await worker.do(Task('{"type": "strange"}'))).field == "/schema/type"


async def test_what_takes_too_long_is_given_up_and_the_next_task_is_done(worker: WorkerProcess) -> None:
    await worker.do(Task("{}"))
    before = pid_of(worker)
    assert before is not None
    with pytest.raises(TookTooLong):
        await worker.do(Task(ENDLESS, msgspec.json.encode(nested(40)).decode()))
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    assert not (await worker.do(Task("{}", "{}"))).violations


async def test_a_process_that_was_killed_is_started_anew(worker: WorkerProcess) -> None:
    await worker.do(Task("{}"))
    process = worker._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert (await worker.do(Task('{"type": "object"}', "1"))).violations


async def test_who_gives_up_takes_no_reply_away_from_others(worker: WorkerProcess) -> None:
    await worker.do(Task("{}"))
    given_up = asyncio.create_task(worker.do(Task(ENDLESS, msgspec.json.encode(nested(40)).decode())))
    others = [asyncio.create_task(worker.do(Task('{"type": "object"}', text))) for text in ("1", "{}", "[]")]
    await asyncio.sleep(0)  # the first one has the turn
    given_up.cancel()
    replies = await asyncio.gather(*others)
    assert given_up.cancelled()
    assert [bool(reply.violations) for reply in replies] == [True, False, True]


async def test_only_so_many_wait(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "MAX_WAITING", 2)
    waiting = [asyncio.create_task(worker.do(Task("{}", "{}"))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await worker.do(Task("{}", "{}"))
    assert not any(reply.violations for reply in await asyncio.gather(*waiting))
    assert not (await worker.do(Task("{}", "{}"))).violations


async def test_small_documents_are_held_against_schemas_here_and_large_ones_beside(worker: WorkerProcess) -> None:
    validator = Validator("User", 1, read({"additionalProperties": {"type": "integer"}}), worker)
    await validator.check({"a": 1})
    with pytest.raises(SchemaViolated):
        await validator.check({"a": "x"})
    assert pid_of(worker) is None
    many = {str(n): "x" for n in range(3000)}  # to list them takes longer than to find out that there are some
    with pytest.raises(SchemaViolated) as caught:
        await validator.check(many)
    assert pid_of(worker) is not None
    assert (len(caught.value.extra["violations"]), caught.value.extra["more"]) == (100, 2900)


async def test_a_recursion_never_keeps_the_service(worker: WorkerProcess) -> None:
    validator = Validator("Tree", 3, read(msgspec.json.decode(ENDLESS)), worker)
    with pytest.raises(SchemaViolated) as caught:
        await validator.check({"x": {}})
    assert caught.value.extra["schema_version"] == 3
    with pytest.raises(InvalidRequest, match="takes more than"):
        await validator.check(nested(40))
    with pytest.raises(SchemaViolated):
        await validator.check({})
