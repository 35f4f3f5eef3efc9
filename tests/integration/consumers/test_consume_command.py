"""`eskit consume`: the newcomer's consumer, started from its file, as often as one likes, or until it has caught up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eskit.settings import Settings
from tests.integration.consuming import Topic, all_saved, last_of
from tests.services import environment, until

SHOP = """
from eskit.consumer import Consumer, Event

billing = Consumer("billing")
nothing = 3

@billing.on("Thing.*")
async def charge(event: Event) -> None:
    print(event.position, flush=True)
"""


def start(config: Settings, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, **environment(config)}
    environ.pop("ESKIT_CONSUMER_PORT", None)
    return subprocess.Popen(
        [sys.executable, "-m", "eskit", "consume", *arguments],
        cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


async def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    return await asyncio.to_thread(process.communicate, timeout=60)


async def test_until_head_it_ends_when_it_has_caught_up(config: Settings, topic: Topic, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    topic.add_positions(range(1, 201))
    process = start(config, tmp_path, "shop:billing", "--until", "head")
    out, err = await ended(process)
    assert process.returncode == 0, err
    assert sorted(map(int, out.split())) == list(range(1, 201))
    assert "billing has caught up: 200 events handled" in err
    assert await all_saved(config, "billing", last_of(range(1, 201)))

    again = start(config, tmp_path, "shop:billing", "--until", "head")
    out, err = await ended(again)
    assert (again.returncode, out) == (0, "")
    assert "0 events handled" in err


async def test_two_at_once_share_the_work_and_the_second_finds_a_port(
    config: Settings, topic: Topic, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    processes = [start(config, tmp_path, "shop:billing") for _ in range(2)]
    topic.add_positions(range(1, 401))
    try:
        await until(lambda: all_saved(config, "billing", last_of(range(1, 401))), 60)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
    outputs = [await ended(process) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sorted(int(line) for out, _ in outputs for line in out.split()) == list(range(1, 401))
    assert sum("the port is taken" in err for _, err in outputs) >= 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("shop", "must name a module and a consumer"),
        ("no_such_module:billing", "there is no module no_such_module"),
        ("shop:none", "shop has no consumer none"),
        ("shop:nothing", "shop has no consumer nothing"),
    ],
)
async def test_what_it_cannot_find_it_says_in_one_line(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    process = start(Settings(), tmp_path, name)
    _, err = await ended(process)
    assert process.returncode == 1
    assert says in err
    assert err.count("\n") == 1
