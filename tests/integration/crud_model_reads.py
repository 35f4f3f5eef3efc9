"""The reads of a comparison with the model: an entity as it is and was, its history, blame and differences."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from crud_svc.entities.target import Target
from tests.integration.crud_calls import Crud, Reply, path
from tests.integration.crud_documents import GONE, escaped, merge, patched, read
from tests.integration.crud_model import Entity, Version, World

KIND = "Model"
PLACES = st.integers(0, 40)  # of versions, positions, entities; drawn alike, whatever was stored
FIELDS = st.sampled_from(["", "/a", "/b", "/a~1b", "/~0", "/", "/a/b", "/ä"])


class Reading(RuleBasedStateMachine):
    """Asks one of the instances, compares with the model."""

    runner: asyncio.Runner
    instances: list[Crud]
    seen: ClassVar[Counter[Any]] = Counter()
    world: World
    idents: list[str]
    turn = 0

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @property
    def crud(self) -> Crud:
        """The instance whose turn it is: each for a while, so that what one knows of its own writes is used."""
        return self.instances[self.turn % len(self.instances)]

    def ask(self, ident: str, rest: str = "", **headers: str) -> Reply:
        reply: Reply = self.run(self.crud.call("GET", path(ident, KIND) + rest, **headers))
        self.seen[rest.partition("?")[0] or "get", reply.status] += 1
        return reply

    def some(self, number: int) -> tuple[str, Entity]:
        ident = self.idents[number % len(self.idents)]
        return ident, self.world.entity(ident)

    @rule(number=PLACES, version=PLACES, deleted=st.booleans())
    def read_version(self, number: int, version: int, deleted: bool) -> None:
        ident, entity = self.some(number)
        version = 1 + version % (entity.version + 2)
        reply = self.ask(ident, f"?version={version}" + "&deleted=true" * deleted)
        if version > entity.version:
            assert reply.said == (404, "not-found")
        else:
            self.compare_read(reply, entity, version, deleted=deleted)

    @rule(number=PLACES, back=PLACES, deleted=st.booleans())
    def read_position(self, number: int, back: int, deleted: bool) -> None:
        ident, entity = self.some(number)
        position = max(1, self.world.head + 2 - back)
        reply = self.ask(ident, f"?position={position}" + "&deleted=true" * deleted)
        version = entity.upto(lambda version: entity.versions[version].position <= position)
        self.compare_read(reply, entity, version, deleted=deleted)

    @rule(number=PLACES, version=PLACES, later=st.sampled_from([-1, 0, 1]))
    def read_at(self, number: int, version: int, later: int) -> None:
        ident, entity = self.some(number)
        if not entity.version:
            return
        events = self.ask(ident, "/history?limit=1000").json["events"]
        times = [datetime.fromisoformat(event["recorded_at"]) for event in events]
        assert times == sorted(times)
        at = times[version % len(times)] + timedelta(microseconds=later)
        reply = self.ask(ident, f"?at={quote(at.isoformat())}")
        self.compare_read(reply, entity, entity.upto(lambda version: times[version - 1] <= at))

    @rule(number=PLACES, known=st.sampled_from(["now", "weak", "older", "any"]))
    def read_conditionally(self, number: int, known: str) -> None:
        ident, entity = self.some(number)
        version = entity.version
        tag = {"now": f'"{version}"', "weak": f'"x", W/"{version}"', "older": f'"{version - 1}"', "any": "*"}[known]
        reply = self.ask(ident, If_None_Match=tag)
        if entity.now.document is None or known == "older":
            self.compare_read(reply, entity, version)
        else:
            assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", f'"{version}"')

    def compare_read(self, reply: Reply, entity: Entity, version: int, *, deleted: bool = False) -> None:
        then = entity.versions[version]
        if then.document is None and not (deleted and then.deleted):
            code = (410, "deleted") if then.deleted else (404, "not-found")
            assert reply.said == code
            assert not then.deleted or reply.json["version"] == then.deleted
            return
        assert (reply.status, reply.headers["ETag"]) == (200, f'"{version}"'), reply.body
        assert reply.headers["Eskit-Position"] == str(then.position)
        assert reply.headers.get("Eskit-Deleted") == (str(then.deleted) if then.deleted else None)
        same_document(reply.body, then)

    @rule(number=PLACES, forward=st.booleans(), limit=st.integers(1, 5), field=st.none() | FIELDS, first=PLACES)
    def read_history(self, number: int, forward: bool, limit: int, field: str | None, first: int) -> None:
        ident, entity = self.some(number)
        start = first % (entity.version + 2) or None
        rest = f"/history?limit={limit}&direction={'forward' if forward else 'backward'}"
        rest += "" if field is None else f"&field={quote(field)}"
        following: int | None = start
        told: list[Any] = []
        while True:
            reply = self.ask(ident, rest + (f"&from_version={following}" if following else ""))
            if not entity.version:
                assert reply.said == (404, "not-found")
                return
            page = read(reply.body)
            assert len(page["events"]) <= limit
            told += page["events"]
            if page["next"] is None:
                break
            following = int(page["next"].text)
        order = list(range(start or 1, entity.version + 1))
        if not forward:
            order = list(range(min(start or entity.version, entity.version), 0, -1))
        wanted = [version for version in order if field is None or _touched(entity, version, field)]
        assert [int(event["version"].text) for event in told] == wanted
        for event in told:
            self.compare_event(event, entity, int(event["version"].text))

    def compare_event(self, event: Any, entity: Entity, version: int) -> None:
        then = entity.versions[version]
        assert (event["action"], int(event["position"].text)) == (then.action, then.position)
        told = {c["path"]: (c.get("old", GONE), c.get("new", GONE)) for c in event["changes"]}
        assert len(told) == len(event["changes"])
        assert told == entity.changed(version), (ident_of(event), version)

    @rule(number=PLACES, version=st.none() | PLACES)
    def read_blame(self, number: int, version: int | None) -> None:
        ident, entity = self.some(number)
        at = entity.version if version is None else 1 + version % (entity.version + 1)
        reply = self.ask(ident, "/blame" + ("" if version is None else f"?version={at}"))
        if at > entity.version:
            assert reply.said == (404, "not-found")
        elif entity.versions[at].document is None:
            assert reply.status == (410 if entity.versions[at].deleted else 404)
        else:
            blame = read(reply.body)
            told = {field["path"]: (field["value"], int(field["version"].text)) for field in blame["fields"]}
            assert (int(blame["version"].text), told) == (at, entity.blame(at))

    @precondition(lambda self: any(entity.version for entity in self.world.entities.values()))
    @rule(number=PLACES, one=PLACES, other=PLACES)
    def read_difference(self, number: int, one: int, other: int) -> None:
        ident, entity = self.some(number)
        if not entity.version:
            assert self.ask(ident, "/diff?from=1").said == (404, "not-found")
            return
        one, other = 1 + one % entity.version, 1 + other % entity.version
        old, new = entity.versions[one].document or {}, entity.versions[other].document or {}
        rest = f"/diff?from={one}&to={other}"
        reply = self.ask(ident, rest)
        assert reply.headers["Content-Type"] == "application/json-patch+json"
        assert patched(old, read(reply.body)) == new
        merging = self.ask(ident, f"{rest}&format=merge-patch")
        if merging.status == 200:
            assert merge(old, read(merging.body)) == new
        else:
            assert merging.said == (422, "invalid-request")
            assert b"null" in self.ask(ident, f"?version={other}").body
        text = self.ask(ident, f"{rest}&format=text").body.decode()
        assert text.count("\n") == len(read(reply.body))

    @rule(place=PLACES)
    def refold(self, place: int) -> None:
        """Whether a snapshot helps or not: the same."""
        ident, _ = self.some(place)
        target = Target(KIND, ident)
        reader = self.crud.entities.reader
        state, whole = self.run(reader.state(target)), self.run(reader.refolded(target))
        assert (state.version, state.position, state.modified_us) == (whole.version, whole.position, whole.modified_us)
        assert (state.deleted_at, state.document is None) == (whole.deleted_at, whole.document is None)
        if whole.document is not None or whole.deleted_at:
            assert state.body() == whole.body()
            same_document(state.body(), self.world.entity(ident).now)

    def read_all(self) -> None:
        """Every version of every entity."""
        for ident in self.idents:
            entity = self.world.entity(ident)
            self.compare_read(self.ask(ident), entity, entity.version)
            for version in range(1, entity.version + 1):
                reply = self.ask(ident, f"?version={version}&deleted=true")
                self.compare_read(reply, entity, version, deleted=True)


def same_document(body: bytes, then: Version) -> None:
    """To the letter, where that is known; else to the letter of each number."""
    if then.text is not None:
        assert body == then.text
    assert read(body) == (then.document if then.document is not None else then.last)


def _touched(entity: Entity, version: int, field: str) -> bool:
    def related(path: str) -> bool:
        one, other = path.split("/"), field.split("/")
        return one[: len(other)] == other or other[: len(one)] == one

    return any(related(path) for path in entity.changed(version))


def ident_of(event: Any) -> str:
    """For a message."""
    return escaped(str(event["event_id"]))
