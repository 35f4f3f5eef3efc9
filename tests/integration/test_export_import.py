"""`eskit export` and `eskit import`: what is carried over is the same, and an import may be run again."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eskit.settings import Settings
from tests.integration.crud_batches import create, line, merge, send
from tests.integration.exporting import Log, logs
from tests.services import until

EXACT = b'{\n "a": 1.0,\r\n "b":1e0, "c":-0,\t"big":12345678901234567890, "\xc3\xa9/~":{"":"x\\ny"}}'


@pytest.fixture
async def both(config: Settings) -> AsyncIterator[list[Log]]:
    async with logs(config) as opened:
        yield opened


async def fill(log: Log) -> None:
    """Entities of two types: one never changed, one changed, one deleted, one restored, one with a foreign event."""
    await send(
        log.crud,
        create("exact/1", {}, user="ann", metadata={"k": "v"}, occurred_on="2020-01-01T00:00:00Z"),
        create("u2", {"n": 1}),
        merge("u2", {"n": 2.50, "m": None, "list": [None]}),
        create("gone"),
        line("delete", "gone", if_match="*"),
        create("back"),
        line("delete", "back", if_match="*"),
        line("restore", "back", if_match="*"),
        create("o1", kind="Order"),
    )
    assert (await log.crud.put("exact/1", EXACT)).status == 200
    assert (await log.crud.create("exact/2", EXACT)).status == 201
    await log.crud.foreign("u2")


def keep(tmp_path: Path, out: bytes) -> Path:
    file = tmp_path / "export.ndjson"
    file.write_bytes(out)
    return file


def one_line(body: bytes) -> bytes:
    return body.replace(b"\r", b" ").replace(b"\n", b" ")


async def documents(log: Log, *idents: str) -> dict[str, bytes]:
    return {ident: (await log.crud.get(ident)).body for ident in idents}


async def test_entities_are_carried_over_and_not_twice(both: list[Log], tmp_path: Path) -> None:
    source, sink = both
    await fill(source)
    said = await source.run("export", "User")
    assert said.code == 0
    assert "4 entities of User, as the log was at position" in said.err
    assert [(one["id"], one["version"]) for one in said.lines] == [
        ("back", 3),
        ("exact/1", 2),
        ("exact/2", 1),
        ("u2", 3),
    ]
    assert one_line((await source.crud.get("exact/1")).body) in said.out
    assert b"12345678901234567890" in said.out
    file = keep(tmp_path, said.out)

    first = await sink.run("import", file)
    assert (first.code, first.err) == (0, "eskit: 4 stored\n")
    idents = ["back", "exact/1", "exact/2", "u2"]
    assert await documents(sink, *idents) == {
        ident: one_line(body) for ident, body in (await documents(source, *idents)).items()
    }
    count = len(await sink.crud.events())
    again = await sink.run("import", file)
    assert (again.code, again.err) == (0, "eskit: nothing has changed: 4 there already\n")
    # Changed or deleted since, it is not set back.
    await sink.crud.merge("u2", {"later": 1})
    await sink.crud.delete("back")
    assert (await sink.run("import", file)).err == again.err
    assert len(await sink.crud.events()) == count + 2


async def test_an_export_is_of_one_position(both: list[Log]) -> None:
    source, _ = both
    await fill(source)
    position = len(await source.crud.events())
    before = await source.run("export", "User")
    await source.crud.merge("u2", {"later": 1})
    await source.crud.delete("back")
    await source.crud.create("new", {})
    assert (await source.run("export", "User", "--position", str(position))).out == before.out
    now = (await source.run("export", "User")).lines
    assert [one["id"] for one in now] == ["exact/1", "exact/2", "new", "u2"]
    assert (await source.run("export", "Nothing")).out == b""


async def test_what_exists_is_refused_or_as_one_says(both: list[Log], tmp_path: Path) -> None:
    source, sink = both
    await fill(source)
    file = keep(tmp_path, (await source.run("export", "User")).out)
    await send(sink.crud, create("u2", {"mine": 1}), create("back"), line("delete", "back", if_match="*"))

    refused = await sink.run("import", file)
    assert refused.code == 1
    assert "line 4: User 'u2' exists already (already-exists)" in refused.err
    assert "line 1: " in refused.err
    assert refused.err.endswith("eskit: 2 stored, 2 refused\n")
    skipped = await sink.run("import", file, "--existing", "skip")
    assert (skipped.code, skipped.err) == (0, "eskit: nothing has changed: 2 there already, 2 skipped\n")
    assert (await sink.crud.get("u2")).json == {"mine": 1}

    replaced = await sink.run("import", file, "--existing", "replace")
    assert (replaced.code, replaced.err) == (0, "eskit: 2 stored, 2 there already\n")
    assert (await sink.crud.get("u2")).body == (await source.crud.get("u2")).body
    again = await sink.run("import", file, "--existing", "replace")
    assert (again.code, again.err) == (0, "eskit: nothing has changed: 4 there already\n")


async def test_a_whole_history_is_carried_over(both: list[Log], tmp_path: Path) -> None:
    source, sink = both
    await fill(source)
    await send(source.crud, create("t1", {}), merge("t1", {"n": 1}), create("t2"), query="?atomic=true")
    said = await source.run("export", "User", "--history")
    assert said.code == 0
    events = [event for event in await source.crud.events() if event.entity_type == "User"]
    assert f"{len(events)} events of User" in said.err
    first = said.lines[0]
    assert {key: first[key] for key in ("specversion", "type", "source", "subject", "datacontenttype")} == {
        "specversion": "1.0", "type": "User.Created", "source": "/eskit/main", "subject": "exact/1",
        "datacontenttype": "application/json",
    }  # fmt: skip
    assert (first["time"], int(first["sequence"])) == ("2020-01-01T00:00:00Z", 1)
    file = keep(tmp_path, said.out)

    await sink.crud.create("other", {})
    assert (await sink.run("import", file)).err == f"eskit: {len(events)} stored\n"
    carried = [event for event in await sink.crud.events() if event.originator_id != "other"]
    assert [kept(event) for event in carried] == [kept(event) for event in events]
    assert (await sink.crud.history("u2")).json["events"][2]["action"] == "Approved"
    again = await sink.run("import", file)
    assert (again.code, again.err) == (0, f"eskit: nothing has changed: {len(events)} there already\n")
    # In the log it is from some were stored together: they are the same for all that.
    own = await source.run("import", file)
    assert (own.code, own.err) == (0, again.err)


async def test_a_history_that_has_grown_is_imported_again(both: list[Log], tmp_path: Path) -> None:
    source, sink = both
    await fill(source)
    first = (await source.run("export", "User", "--history")).out
    await sink.run("import", keep(tmp_path, b"".join(first.splitlines(keepends=True)[:5])))
    await send(source.crud, merge("u2", {"later": 1}), create("new"))
    more = (await source.run("export", "User", "--history")).out
    said = await sink.run("import", keep(tmp_path, more))
    assert (said.code, said.err) == (0, f"eskit: {len(more.splitlines()) - 5} stored, 5 there already\n")
    assert await documents(sink, "u2", "new") == await documents(source, "u2", "new")


def kept(event: Any) -> tuple[Any, ...]:
    payload = event.payload.replace("\r", " ").replace("\n", " ")
    metadata = {"correlation_id": event.event_id} | json.loads(event.metadata)
    return event.event_id, event.event_type, event.originator_id, event.version, payload, metadata, event.occurred_on_us


async def test_a_history_that_does_not_fit_is_refused(both: list[Log], tmp_path: Path) -> None:
    source, sink = both
    await fill(source)
    file = keep(tmp_path, (await source.run("export", "User", "--history")).out)
    await sink.crud.create("u2", {"mine": 1})
    said = await sink.run("import", file)
    assert said.code == 1
    assert "line 2: Stream User 'u2' is at version 1" in said.err
    assert "line 3: An earlier event of User 'u2' was refused" in said.err
    assert (await sink.crud.get("u2")).json == {"mine": 1}
    changed = file.read_bytes().replace(b'"n":2.5', b'"n":9.9')
    other = await source.run("import", keep(tmp_path, changed))
    assert other.code == 1
    assert "event-id-reused" in other.err


async def test_lines_that_are_wrong_are_told_and_the_others_stored(both: list[Log], tmp_path: Path) -> None:
    good = b'{"type":"User","id":"u%d","version":1,"document":{"n":1}}\n'
    event = b'{"specversion":"1.0","id":"01a20c57-9331-7971-8669-ffaba7c628bf","source":"x","type":"User.Created",'
    event += b'"subject":"u9","time":"2026-01-01T00:00:00Z","sequence":"1","data":{}}\n'
    text = good % 1 + b"{\n" + b"\n" + good % 2 + b'{"type":"User","id":"u3"}\n' + event
    text += b'{"type":"a b","id":"u4","version":1,"document":{}}\n'
    text += b'{"type":"User","id":"u5","version":1,"document":{"x":"' + b"x" * (8 << 20) + b'"}}\n' + good % 6
    said = await both[0].run("import", keep(tmp_path, text))
    assert said.code == 1
    assert [one.split(":")[1].strip() for one in said.err.splitlines()[:-1]] == [
        "line 2", "line 5", "line 6", "line 7", "line 8"
    ]  # fmt: skip
    assert "missing required field `document`" in said.err
    assert said.err.endswith("eskit: 3 stored, 5 refused\n")
    assert (await both[0].run("import", tmp_path / "missing")).code == 1
    assert (await both[0].run("import", keep(tmp_path, b""))).err == "eskit: nothing has changed: no lines\n"


async def test_an_import_that_is_broken_off_is_run_again(both: list[Log], tmp_path: Path) -> None:
    log = both[0]
    text = b"".join(b'{"type":"User","id":"u%d","version":1,"document":{"n":%d}}\n' % (n, n) for n in range(20_000))
    file = keep(tmp_path, text)
    urls = ["--crud-url", log.crud.url, "--eventstore-url", log.eventstore_url]
    process = await log.start("import", file, *urls)

    async def some() -> bool:
        return (await log.crud.store.head()).position > 1000

    await until(some)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, b"run it again" in err) == (130, True)
    done = (await log.crud.store.head()).position
    assert 1000 < done < 20_000
    again = await log.run("import", file)
    assert again.code == 0
    stored = int(again.err.split()[1])
    assert stored + done <= 20_000 + 1000
    assert (await log.crud.store.head()).position == 20_000


@pytest.mark.parametrize("arguments", [("export", "User"), ("export", "User", "--history"), ("import", "FILE")])
async def test_services_that_are_away_are_said(tmp_path: Path, both: list[Log], arguments: tuple[str, ...]) -> None:
    file = keep(tmp_path, b'{"type":"User","id":"u1","version":1,"document":{}}\n')
    away = Log(both[0].crud, "http://127.0.0.1:1")
    away.crud_url = away.eventstore_url
    given = [file if argument == "FILE" else argument for argument in arguments]
    said = await away.run(*given, "--patience", "0.2")
    assert said.code == 1
    assert "http://127.0.0.1:1 does not answer" in said.err
    assert ("run it again" if "FILE" in arguments else "is not all") in said.err


async def test_a_type_that_is_none_is_said(both: list[Log]) -> None:
    said = await both[0].run("export", "no type")
    assert (said.code, said.out) == (1, b"")
    assert "TYPE must be words" in said.err
