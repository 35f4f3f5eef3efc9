"""`eskit dead-letters` as a person, or a program, uses it."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from eskit.__main__ import main
from eskit.kafka.record import Source
from eskit.letters import UNREADABLE
from eskit.settings import Settings
from infra.local.ports import free_port
from tests.integration.lettering import CONSUMER, TOPIC, Desk, brief, letter, service
from tests.unit.test_record import EVENT

VALUE = Source("main").record(EVENT).value


class Said(NamedTuple):
    """What a command has answered."""

    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Said]]


@pytest.fixture
async def desk(config: Settings) -> AsyncIterator[Desk]:
    async with service(config) as opened:
        own = await opened.claim()
        await opened.set_aside(
            CONSUMER, own, [letter(7, value=VALUE), letter(8, "order-8"), letter(9, failed=False, value=VALUE)]
        )
        for partition in (0, 1):
            own = await opened.claim(partition)
            await opened.set_aside(CONSUMER, own, [letter(5, UNREADABLE, value=b"\x00\x01")])
        yield opened


@pytest.fixture
def run(desk: Desk, capsys: pytest.CaptureFixture[str]) -> Run:
    async def run_(name: str, *arguments: str) -> Said:
        code = await asyncio.to_thread(main, ["dead-letters", name, "--url", desk.url, *arguments])
        said = capsys.readouterr()
        return Said(code, "".join(line for line in said.out.splitlines(keepends=True) if "request " not in line),
                    said.err)  # fmt: skip

    return run_


def rows(said: Said) -> list[list[str]]:
    assert said.code == 0
    return [line.split() for line in said.out.splitlines()]


async def test_list_says_who_waits_and_why(run: Run) -> None:
    assert rows(await run("list")) == [["CONSUMER", "KEYS"], [CONSUMER, "4"]]
    said = await run("list", CONSUMER)
    assert [row[0] for row in rows(said)] == ["KEY", "(unreadable", "order-7", "order-8", "(unreadable"]
    assert "ValueError: no such account" in said.out
    said = await run("list", CONSUMER, "--limit", "2")
    assert len(rows(said)) == 3
    assert "--limit 20 shows more" in said.err
    assert (await run("list", "nobody")).out == "nothing is set aside\n"
    found = json.loads((await run("list", CONSUMER, "--json", "--limit", "4")).out)
    assert (found["more"], [key["parked"]["key"] for key in found["keys"]]) == (False, ["", "order-7", "order-8", ""])


async def test_show_has_the_record(run: Run) -> None:
    said = await run("show", CONSUMER, "order-7")
    assert said.code == 0
    assert f"{TOPIC}/0/7  failed, 5 attempts" in said.out
    assert f"{TOPIC}/0/9  waits behind" in said.out
    assert '"n": 1.10' in said.out
    one = await run("show", CONSUMER, f"{TOPIC}/1/5")
    assert "00000000  00 01" in one.out
    assert f"{TOPIC}/0/5" not in one.out
    assert (await run("show", CONSUMER, "")).out.count("(unreadable records)") == 2
    found = json.loads((await run("show", CONSUMER, "order-7", "--json", "--limit", "1")).out)
    assert (found["more"], found["letters"][0]["event"]["payload"]) == (True, {"n": 1.1})


async def test_a_key_that_looks_like_a_place_is_one_nevertheless(run: Run, desk: Desk) -> None:
    await desk.set_aside(CONSUMER, await desk.claim(), [letter(11, "org/repo/3"), letter(12, "a/1/2")])
    assert "a/1/2" in (await run("show", CONSUMER, "a/1/2")).out
    assert "org/repo/3" in (await run("show", CONSUMER, "org/repo/3")).out


async def test_retry_wants_keys_back(run: Run, desk: Desk) -> None:
    assert "2 keys" in (await run("retry", CONSUMER, "order-7", "order-8", "nobody")).out
    assert [key.key for key in await desk.keys(retry=True)] == ["order-7", "order-8"]
    assert json.loads((await run("retry", CONSUMER, "--all", "--json")).out) == {"keys": 4}
    assert (await run("retry", "nobody", "--all")).code == 0


async def test_discard_throws_away_what_failed_and_leaves_a_trace(run: Run, desk: Desk) -> None:
    assert "1 letter " in (await run("discard", CONSUMER, "order-7", "--yes", "--by", "me", "--reason", "a test")).out
    assert brief(await desk.everything(key="order-7")) == [(9, "order-7", False)]
    done = (await desk.offsets.resets(CONSUMER)).resets[0]
    assert (done.by, done.reason) == ("me", "a test")
    assert "no letter of 'order-7' that failed" in (await run("discard", CONSUMER, "order-7", "--yes")).err
    assert "1 letter " in (await run("discard", CONSUMER, "order-7", "--yes", "--offset", "9")).out
    assert json.loads((await run("discard", CONSUMER, f"{TOPIC}/1/5", "--yes", "--json")).out) == {"letters": 1}
    assert [kept.partition for kept in await desk.everything(key=UNREADABLE)] == [0]


@pytest.mark.parametrize(("answer", "left"), [("n\n", 2), ("", 2), ("\n", 2), ("y\n", 1), ("Yes\n", 1)])
async def test_discard_asks(run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, left: int) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    said = await run("discard", CONSUMER, "order-7")
    assert "Throw away 1 letter, first " in said.err
    assert said.code == (left == 2)
    assert len(await desk.everything(key="order-7")) == left


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["show", CONSUMER, "nobody"], "has no letter of 'nobody' set aside"),
        (["show", CONSUMER, f"{TOPIC}/0/99"], "set aside"),
        (["show", "a b", "k"], "consumer"),
        (["list", CONSUMER, "--limit", "0"], "--limit must be at least 1"),
        (["retry", CONSUMER], "--all"),
        (["retry", CONSUMER, "k", "--all"], "--all"),
        (["retry", CONSUMER, "nobody"], "none of these keys waits"),
        (["discard", CONSUMER, "nobody", "--yes"], "no letter of 'nobody' that failed"),
        (["discard", CONSUMER, "order-7"], "--yes"),
        (["discard", CONSUMER, "order-7", "--offset", "99", "--yes"], "at these offsets"),
        (["discard", CONSUMER, "", "--offset", "5", "--yes"], "TOPIC/PARTITION/OFFSET"),
        (["discard", CONSUMER, f"{TOPIC}/0/7", "--all", "--yes"], "go with a key"),
    ],
)
async def test_what_is_wrong_is_one_line(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch, arguments: list[str], wrong: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    before = await desk.everything()
    said = await run(*arguments)
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert wrong in said.err
    assert await desk.everything() == before


def test_a_service_that_is_away_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eskit.cli.dead_letters.PATIENCE_S", 0.1)
    assert main(["dead-letters", "list", "--url", f"http://127.0.0.1:{free_port()}"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "does not answer" in said.err


@pytest.mark.parametrize("name", ["list", "show", "retry", "discard"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dead-letters", name, "--help"])
    assert ended.value.code == 0
    assert f"example:\n  eskit dead-letters {name}" in capsys.readouterr().out


async def test_a_reader_that_has_seen_enough_is_no_error(desk: Desk) -> None:
    """`eskit … | head`: not a word of Python's."""
    given: list[Any] = [letter(n, f"key-{n}") for n in range(20, 220)]
    await desk.set_aside(CONSUMER, await desk.claim(), given)
    command = [sys.executable, "-m", "eskit", "dead-letters", "list", CONSUMER, "--url", desk.url, "--limit", "500"]

    def closed_at_once() -> str:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            return process.stderr.read()

    assert await asyncio.to_thread(closed_at_once) == ""
