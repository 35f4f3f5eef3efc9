"""Backups: what docs/howto/backup.md says works, and positions, versions and bytes are the same afterwards."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from eskit.settings import Settings
from eventstore_svc.store import Recorded, open_event_store
from infra.local.postgres import PostgresServer
from infra.local.postgres_binaries import find_binaries
from tests import stack
from tests.integration.appending import keep_appending, load, new_event
from tests.services import config_for, until
from tests.stack import migrate

ROLES = ("eskit_eventstore_writer", "eskit_eventstore_relay", "eskit_offsets_writer", "eskit_crud_writer")


def program(name: str) -> str:
    """PostgreSQL's own, of the server's version; skips where it was not installed with it."""
    path = find_binaries().folder / name
    if not path.exists():
        pytest.skip(f"this PostgreSQL came without {name}")
    return str(path)


def digest(url: str) -> tuple[int, str]:
    """How many events there are, and a hash over every column of every row, of log and outbox."""
    with psycopg.connect(url, options="-c search_path=eventstore -c timezone=UTC") as owner:
        rows = owner.execute("SELECT events::text FROM events ORDER BY position").fetchall()
        outbox = owner.execute("SELECT position FROM outbox ORDER BY position").fetchall()
    return len(rows), hashlib.sha256(repr((rows, outbox)).encode()).hexdigest()


async def fill(config: Settings) -> None:
    """Some streams, payloads that any rewriting would change."""
    async with open_event_store(config, "test") as store:
        await load(store, 300)
        await store.append([new_event("ü/ 'x' \\", payload=b'{ "n":1.10, "u":"\\u0000\\\\", "t":"\xe2\x80\xa8" }')])


async def goes_on(config: Settings, head: int) -> None:
    """The next append takes the next position, and the next version of its stream."""
    async with open_event_store(config, "test") as store:
        (recorded,) = (await store.append([new_event("thing-0")])).events
    assert (recorded.position, recorded.version) == (head + 1, 2)


async def test_a_dump_is_restored_on_another_server(private_postgres: PostgresServer, tmp_path: Path) -> None:
    """The roles first, which belong to the server and are in no dump of a database."""
    migrate(private_postgres.url)
    await fill(config_for(private_postgres.url))
    before = digest(private_postgres.url)
    dump = tmp_path / "eskit.dump"
    _run(program("pg_dump"), "--format=custom", f"--file={dump}", private_postgres.url)
    with stack.local_postgres() as other:
        await restored(dump, other, before)


async def restored(dump: Path, server: PostgresServer, before: tuple[int, str]) -> None:
    """The dump on an empty server is the same log, and goes on."""
    url = server.ensure_database("restored")
    with psycopg.connect(url, autocommit=True) as owner:
        for role in ROLES:
            owner.execute(f"CREATE ROLE {role} NOLOGIN".encode())
    _run(program("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={url}", str(dump))
    assert digest(url) == before
    migrate(url)  # finds nothing to do
    await goes_on(config_for(url), before[0])
    with (
        psycopg.connect(url, options="-c search_path=eventstore", autocommit=True) as owner,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"),
    ):
        owner.execute("DELETE FROM events")


async def test_a_copy_of_the_stopped_servers_files_is_the_log(private_postgres: PostgresServer) -> None:
    """A physical backup, put back after the log has grown: it goes on from where it was copied."""
    migrate(private_postgres.url)
    config = config_for(private_postgres.url)
    await fill(config)
    before = digest(config.database_url)
    private_postgres.stop()
    copy = private_postgres.data_dir.with_name("copy")
    _run("cp", "-a", str(private_postgres.data_dir), str(copy))
    private_postgres.start()
    async with open_event_store(config, "test") as store:
        await load(store, 50)
    private_postgres.stop()
    shutil.rmtree(private_postgres.data_dir)
    copy.rename(private_postgres.data_dir)
    private_postgres.start()
    assert digest(config.database_url) == before
    await goes_on(config, before[0])


async def test_a_base_backup_taken_under_load_is_a_prefix_of_the_log(private_postgres: PostgresServer) -> None:
    """Online, while writers append: everything that was acknowledged before it began, and nothing with a hole."""
    migrate(private_postgres.url)
    config = config_for(private_postgres.url)
    copy = private_postgres.data_dir.with_name("base")
    take = (program("pg_basebackup"), "--checkpoint=fast", f"--pgdata={copy}", f"--dbname={private_postgres.url}")
    before: list[Recorded] = []
    during: list[Recorded] = []
    async with open_event_store(config, "test") as store, asyncio.TaskGroup() as group:
        stopped = asyncio.Event()
        await asyncio.gather(*(keep_appending(store, lambda: len(before) > 500, before) for _ in range(8)))
        for _ in range(8):
            group.create_task(keep_appending(store, stopped.is_set, during))
        await until(lambda: len(during) > 50)
        acknowledged = len(before) + len(during)
        await asyncio.to_thread(_run, *take)
        taken = len(before) + len(during)
        await until(lambda: len(before) + len(during) > taken + 50)
        stopped.set()
    original, _ = rows(config.database_url)
    assert taken > acknowledged, "nobody appended meanwhile"
    _put_back(private_postgres, copy)
    restored, outbox = rows(config.database_url)
    assert acknowledged <= len(restored) < len(original)
    assert restored == original[: len(restored)]
    assert [row[0] for row in restored] == outbox == list(range(1, len(restored) + 1))
    async with open_event_store(config, "test") as store:
        again, new = (await store.append([new_event("thing-0"), new_event("new")])).events
    version = 1 + sum(row[1] == "thing-0" for row in restored)
    assert (again.position, again.version) == (len(restored) + 1, version)
    assert (new.position, new.version) == (len(restored) + 2, 1)


def rows(url: str) -> tuple[list[tuple[int, str, str]], list[int]]:
    """Position, originator and everything of each event; and the outbox."""
    with psycopg.connect(url, options="-c search_path=eventstore -c timezone=UTC") as owner:
        found = owner.execute("SELECT position, originator_id, events::text FROM events ORDER BY position").fetchall()
        outbox = owner.execute("SELECT position FROM outbox ORDER BY position").fetchall()
    return found, [position for (position,) in outbox]


def _put_back(server: PostgresServer, copy: Path) -> None:
    """The server's files are lost, and it starts on the copy."""
    owner = server.data_dir.stat()
    for path in (copy, *copy.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    server.stop("immediate")
    shutil.rmtree(server.data_dir)
    copy.rename(server.data_dir)
    server.start()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
