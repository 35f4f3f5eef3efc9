"""`eskit rebuild` as a process: what it says, and that it may be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator

import psycopg
import pytest

from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import Topic, offsets_service
from tests.integration.rebuilding import Database, Ledger, done_up_to
from tests.services import ROOT, environment, until

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'eskit ledger'"


@pytest.fixture
async def config(log_config: Settings, kafka_broker: KafkaBroker) -> AsyncIterator[Settings]:
    """With 200 events in the topic, and done by the first."""
    async with offsets_service(log_config) as found:
        Topic(found, kafka_broker).add_positions(range(1, 201))
        await done_up_to(found, Ledger(), 200)
        yield found


class Command:
    """`eskit rebuild` of the ledger."""

    def __init__(self, config: Settings, *more: str, **environ: str) -> None:
        command = [sys.executable, "-m", "eskit", "rebuild", "tests.integration.rebuilding:billing", "--as", "ledger-2"]
        self.process = subprocess.Popen(
            [*command, "--without", "effects.nr", *more],
            env=os.environ | environment(config) | environ,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def ended(self) -> tuple[int, str, str]:
        """Exit code, output, errors."""
        await until(lambda: self.process.poll() is not None, 60)
        out, errors = self.process.communicate()
        return self.process.returncode, out, errors


async def test_it_builds_and_switches_and_says_how_to_drop_the_old(config: Settings) -> None:
    database = Database(config)
    code, out, errors = await Command(config).ended()
    assert (code, out) == (0, ""), errors
    assert "eskit: ledger-2 has reached ledger\n" in errors
    assert database.schemas() == ["ledger", "ledger_2"]

    code, out, errors = await Command(config, "--switch", "--yes").ended()
    assert code == 0, errors
    assert out == f"DROP SCHEMA {database.old()} CASCADE;\n"
    database.rows(out)
    assert database.positions() == list(range(1, 201))
    assert database.schemas() == ["ledger"]


async def test_it_names_the_table_that_is_different(config: Settings) -> None:
    database = Database(config)
    code, _, errors = await Command(config, "--switch", "--yes", AMOUNT="seven").ended()
    assert code == 1
    assert "effects: 200 rows in both, with other contents" in errors
    code, _, errors = await Command(config, "--switch", "--yes", "--expect-different", "effects").ended()
    assert code == 0, errors
    assert "eskit: different: effects" in errors
    assert database.rows("SELECT DISTINCT amount FROM ledger.effects") == [(7,)]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--switch"], "say --yes"),
        (["--schema", "ledger"], "schema of its own"),
        (["--schema", "Ledger 2"], "small letters"),
        (["--without", "effects"], "TABLE.COLUMN"),
        (["--hold", "0"], "more than 0"),
    ],
)
async def test_a_wrong_command_is_told_so(log_config: Settings, more: list[str], says: str) -> None:
    code, out, errors = await Command(log_config, *more).ended()
    assert (code, out) == (1, "")
    assert says in errors
    assert "Traceback" not in errors


async def test_killed_in_the_midst_of_the_switch_it_leaves_both_usable(
    config: Settings, kafka_broker: KafkaBroker
) -> None:
    database = Database(config)
    assert (await Command(config).ended())[0] == 0
    with psycopg.connect(config.database_url) as other:
        # It holds the first up by then, and wants to compare.
        other.execute("LOCK ledger.owners IN ACCESS EXCLUSIVE MODE")
        command = Command(config, "--switch", "--yes")
        await until(lambda: database.rows(WAITING) == [(1,)], 60)
        command.process.kill()
        await command.ended()
    assert database.schemas() == ["ledger", "ledger_2"]
    assert database.positions() == database.positions("ledger_2") == list(range(1, 201))

    code, _, errors = await Command(config, "--switch", "--yes").ended()
    assert code == 0, errors
    assert database.positions() == list(range(1, 201))
