"""The CRUD service against plain dictionaries with their history: two instances, snapshots that come and go."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import hypothesis
import psycopg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from crud_svc.snapshots import snapshotter
from eskit import ids
from eskit.settings import Settings
from tests.integration.crud_calls import JSON, JSON_PATCH, MERGE, Crud, Reply, crud_service, path
from tests.integration.crud_model import CREATES, Answer, Entity, World, Write, headers_of
from tests.integration.crud_model_drawn import Draw
from tests.integration.crud_model_reads import KIND, PLACES, Reading, same_document

MOST_BYTES = 20_000  # of a document: copies of copies must not end in the service's own limits
SEEDS = st.integers(0, 1 << 32)
REUSES = ["put", "merge", "make", "post", "create"]
SPOIL = [
    "DELETE FROM snapshots",
    "DELETE FROM snapshots WHERE version % 2 = 0",
    # As an older program may have left them.
    "UPDATE snapshots SET format = 0, body = '{\"wrong\":true}', position = 1, deleted_at = 0",
]


class Comparison(Reading):
    """Sends everything to both. Entities are new for each machine; the services, the log and the snapshots go on."""

    url: str
    machines = 0

    def __init__(self) -> None:
        super().__init__()
        Comparison.machines += 1
        self.name = f"m{self.machines}"
        self.idents = [f"{self.name}/{n}" for n in range(2)]
        head = self.run(self.instances[0].store.head())
        self.world, self.sent = World(head.position), list[tuple[Write, Reply]]()
        self.keys = 0

    @initialize(seed=SEEDS)
    def some_are_there(self, seed: int) -> None:
        self.do(Write("create", self.idents[0], '{"a":1.0}', key=self.key(keyed=True)))
        self.burst(seed, 12)

    def draw(self, seed: int) -> Draw:
        return Draw(f"{self.name} {self.keys} {seed}")

    def send(self, write: Write, prefer: str | None = None) -> Reply:
        """As HTTP."""
        headers = headers_of(write.match, self.world.entity(write.ident).version, write.kind)
        if write.key is not None:
            headers["Idempotency_Key"] = write.key
        if prefer is not None:
            headers["Prefer"] = prefer
        where = path(write.ident, KIND)
        method, where, kind = {
            "make": ("POST", f"/v1/entities/{KIND}", JSON),
            "post": ("POST", where, JSON),
            "create": ("PUT", where, JSON),
            "put": ("PUT", where, JSON),
            "merge": ("PATCH", where, MERGE),
            "patch": ("PATCH", where, JSON_PATCH),
            "delete": ("DELETE", where, None),
            "restore": ("POST", f"{where}/restore", None),
        }[write.kind]
        if write.kind == "restore" and write.content is not None:
            where += f"?version={write.content}"
        body = write.content if kind else None
        reply: Reply = self.run(
            self.crud.call(method, where, body, **({"Content_Type": kind} if kind else {}), **headers)
        )
        return reply

    def key(self, keyed: bool) -> str | None:
        self.keys += 1
        return f"{self.name} {self.keys}" if keyed else None

    def do(self, write: Write, represent: bool = False) -> None:
        """Send it, compare the answer."""
        reply = self.send(write, "return=representation" if represent else None)
        if write.kind == "make" and reply.status == 201:
            ident = reply.headers["Location"].rpartition("/")[2]
            assert write.key is None or ident == str(ids.from_key(write.key))
            write = write._replace(ident=ident)
            self.idents.append(ident)
        before = self.world.head
        wanted = self.world.write(write)
        self.compare(write, reply, wanted, represent=represent)
        self.seen[write.kind, wanted.status, wanted.code] += 1
        if write.key is not None and self.world.head > before:
            self.sent.append((write, reply))

    def compare(self, write: Write, reply: Reply, wanted: Answer, *, represent: bool) -> None:
        code = reply.json["code"] if reply.status >= 400 else ""
        assert (reply.status, code) == (wanted.status, wanted.code), (write, reply.body)
        if wanted.code:
            assert wanted.version is None or reply.json.get("version") == wanted.version, (write, reply.body)
            return
        entity = self.world.entity(write.ident)
        assert reply.headers["Eskit-Position"] == str(wanted.position)
        if write.kind == "delete":
            assert reply.body == b""
            return
        assert reply.headers["ETag"] == f'"{wanted.version}"'
        if represent:
            same_document(reply.body, entity.now)
            got = self.ask(write.ident)
            assert (got.headers["ETag"], got.body) == (reply.headers["ETag"], reply.body), "a tag stands for its bytes"
        else:
            assert reply.json == {"id": write.ident, "version": wanted.version, "position": wanted.position}

    @rule(seed=SEEDS, count=st.sampled_from([4, 8, 16]))
    def write(self, seed: int, count: int) -> None:
        """Several in a row, to one of the instances."""
        self.burst(seed, count)

    def burst(self, seed: int, count: int) -> None:
        draw = self.draw(seed)
        self.turn += seed % 2
        for _ in range(count):
            kind, content, place, match, keyed, represent = draw.write()
            ident, entity = ("", Entity()) if kind == "make" else self.some(place)
            if kind == "patch" and len(str(entity.now.document)) > MOST_BYTES:
                continue
            if kind == "restore" and content is not None:
                content = 1 + content % (entity.version + 1)  # a version there is, or the one after
            self.do(Write(kind, ident, content, match, self.key(keyed)), represent)

    @rule(place=PLACES, seed=SEEDS)
    def foreign(self, place: int, seed: int) -> None:
        """An event from elsewhere."""
        ident, _ = self.some(place)
        self.turn += seed % 2
        action, payload = self.draw(seed).foreign()
        self.run(self.crud.foreign(ident, action, payload.encode(), KIND))
        self.world.foreign(ident, action, payload)

    @precondition(lambda self: self.sent)
    @rule(place=PLACES, spelled=st.booleans())
    def again(self, place: int, spelled: bool) -> None:
        """Perhaps spelled otherwise."""
        self.repeat(place, spelled=spelled)

    def repeat(self, place: int, *, spelled: bool) -> None:
        """A write that was done, whatever has happened since: its first answer, and nothing is stored."""
        write, first = self.sent[place % len(self.sent)]
        if spelled and isinstance(write.content, str):
            write = write._replace(content=f"  {write.content} ")
        reply = self.send(write._replace(ident="" if write.kind == "make" else write.ident))
        assert (reply.status, reply.headers.get("ETag")) == (first.status, first.headers.get("ETag")), (
            write,
            reply.body,
        )
        for header in ("Eskit-Position", "Location"):
            assert reply.headers.get(header) == first.headers.get(header)
        self.seen["again", write.kind] += 1

    @precondition(lambda self: self.sent)
    @rule(place=PLACES, where=PLACES, kind=st.sampled_from(REUSES))
    def other_content(self, place: int, where: int, kind: str) -> None:
        """A key that was used, for something that was never sent."""
        self.reuse(place, where, kind)

    def reuse(self, place: int, where: int, kind: str) -> None:
        key, ident = self.sent[place % len(self.sent)][0].key, self.some(where)[0]
        reply = self.send(Write(kind, ident, '{"never": "sent"}', "star", key))
        assert reply.said == (409, "event-id-reused"), reply.body
        self.seen["reused", kind] += 1

    @rule(what=st.sampled_from(SPOIL))
    def spoil_snapshots(self, what: str) -> None:
        async def execute() -> None:
            async with await psycopg.AsyncConnection.connect(self.url, options="-c search_path=crud") as owner:
                await owner.execute(what)

        self.run(execute())

    def teardown(self) -> None:
        for number in range(len(self.sent)):
            self.repeat(number, spelled=False)
        for number, kind in enumerate(REUSES):
            self.reuse(number, 0, kind)
        assert self.run(self.instances[0].store.head()).position == self.world.head
        self.read_all()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots all the time, and few of them kept."""
    for name, value in {"LEAST_EVENTS": 1, "MOST_EVENTS": 1, "EVERY": 3, "NEWEST": 2, "WRITE_EVERY_S": 0.0}.items():
        monkeypatch.setattr(snapshotter, name, value)


@pytest.mark.usefixtures("eager")
def test_service_and_model_answer_the_same(config: Settings) -> None:
    """`--hypothesis-profile=long` goes on for an hour, by chance."""
    long = hypothesis.settings.get_current_profile_name() == "long"
    bounded = hypothesis.settings(
        max_examples=2000 if long else 25,
        stateful_step_count=25,
        derandomize=not long,
        # Making a failing case smaller takes minutes.
        phases=[phase for phase in hypothesis.Phase if long or phase is not hypothesis.Phase.shrink],
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    Comparison.seen.clear()
    with asyncio.Runner() as runner:
        stack, Comparison.runner, Comparison.url = AsyncExitStack(), runner, config.database_url
        Comparison.instances = runner.run(opened(stack, config))
        try:
            run_state_machine_as_test(Comparison, settings=bounded)
        finally:
            runner.run(stack.aclose())
    done: Any = Comparison.seen
    changes = {"put": 200, "merge": 200, "patch": 200, "delete": 204, "restore": 200}
    for kind, well in changes.items():
        assert well in statuses(done, kind), (kind, done)
        assert done["again", kind] > 0, (kind, done)
    assert set[int]().union(*(statuses(done, kind) for kind in changes)) == {200, 204, 404, 410, 412, 422, 428}
    assert set[int]().union(*(statuses(done, kind) for kind in CREATES)) == {201, 409, 410, 412}
    assert done["patch", 422, "patch-failed"] > 0, done


def statuses(done: Any, kind: str) -> set[int]:
    """What a kind of write was answered."""
    return {status for (name, *(status, *_)) in done if name == kind}


async def opened(stack: AsyncExitStack, config: Settings) -> list[Crud]:
    """Two instances on one database."""
    return [await stack.enter_async_context(crud_service(config)) for _ in range(2)]
