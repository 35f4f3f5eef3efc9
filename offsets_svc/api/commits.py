"""Moving offsets: `PUT …/offsets/{topic}/{partition}`, `PUT …/offsets`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from eskit.errors import EskitError, Fenced, InvalidRequest, OffsetMismatch, OffsetRegression, TopicChanged
from eskit.offsets import MAX_COMMITS, Commit, Committed, Number, TopicId
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from eskit.web.problems import problem
from offsets_svc.api.resources import COMMITTER, body_of, consumer_of, number_of, topic_id_of, topic_of
from offsets_svc.store.commits import Outcome


class OffsetIn(msgspec.Struct, forbid_unknown_fields=True):
    """Everything below `offset` is done; the path says where.

    `expected`: the offset that the caller believes to be stored (null: none); another one refuses the commit.
    """

    offset: Number
    position: Number | None = None
    epoch: Number | None = None
    topic_id: TopicId | None = None
    expected: Number | UnsetType | None = UNSET


class CommitsIn(msgspec.Struct, forbid_unknown_fields=True):
    """Offsets of different partitions."""

    offsets: Annotated[list[Commit], Meta(max_length=MAX_COMMITS)]


class Result(msgspec.Struct):
    """One result: `status` 200 with what is stored, or a problem document with its own status."""

    status: int
    topic: str
    partition: int


class Results(msgspec.Struct):
    """A result for each offset, in order."""

    results: list[Result]


_offset = msgspec.json.Decoder(OffsetIn)
_commits = msgspec.json.Decoder(CommitsIn)


async def commit(request: web.Request) -> Answer:
    """Move one partition's offset. The same commit again is answered the same."""
    queries.parse(request, queries.NoQuery)
    consumer = consumer_of(request)
    topic, partition = topic_of(request), number_of(request, "partition")
    given = await body_of(request, _offset)
    wanted = Commit(
        topic, partition, given.offset, given.position, given.epoch, topic_id_of(given.topic_id), given.expected
    )
    [outcome] = await request.app[COMMITTER].commit(consumer, [wanted])
    if isinstance(outcome, EskitError):
        raise outcome
    return bodies.json_response(outcome)


async def commit_several(request: web.Request) -> Answer:
    """Move offsets of several partitions in one transaction; one that is refused does not stop the others.

    An empty list moves nothing but `last_seen`: a sign of life.
    """
    queries.parse(request, queries.NoQuery)
    consumer = consumer_of(request)
    commits = _checked((await body_of(request, _commits)).offsets)
    outcomes = await request.app[COMMITTER].commit(consumer, commits)
    return bodies.json_response({"results": [_result(c, o) for c, o in zip(commits, outcomes, strict=True)]})


def _checked(commits: list[Commit]) -> list[Commit]:
    seen: set[tuple[str, int]] = set()
    for index, one in enumerate(commits):
        if (one.topic, one.partition) in seen:
            # One result for each entry, and one row for each partition: two could not both be told the truth.
            message = f"offsets[{index}] is a second commit to {one.topic} {one.partition}"
            raise InvalidRequest(message, field=f"offsets[{index}].partition")
        seen.add((one.topic, one.partition))
    return [_with_id(one, index) for index, one in enumerate(commits)]


def _with_id(one: Commit, index: int) -> Commit:
    if one.topic_id is None:
        return one
    return msgspec.structs.replace(one, topic_id=topic_id_of(one.topic_id, f"offsets[{index}].topic_id"))


def _result(wanted: Commit, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Committed):
        return {"status": 200, **msgspec.structs.asdict(outcome)}
    return {"topic": wanted.topic, "partition": wanted.partition, **problem(outcome)}


REFUSED = (Fenced, TopicChanged, OffsetMismatch, OffsetRegression)

OPERATIONS = (
    Operation(
        method="PUT",
        path="/v1/consumers/{consumer}/offsets",
        handler=commit_several,
        query=queries.NoQuery,
        body=Content("The offsets.", {JSON: CommitsIn}),
        answers={200: Content("A result for each, in order.", {JSON: Results})},
    ),
    Operation(
        method="PUT",
        path="/v1/consumers/{consumer}/offsets/{topic}/{partition}",
        handler=commit,
        query=queries.NoQuery,
        body=Content("The offset.", {JSON: OffsetIn}, example={"offset": 7, "position": 40, "epoch": 1}),
        answers={200: Content("What is stored.", {JSON: Committed})},
        errors=REFUSED,
    ),
)
