"""Who has a partition: `POST …/claims`, `POST …/releases`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit.errors import InvalidRequest, TopicChanged
from eskit.letters import Changed
from eskit.offsets import MAX_CLAIM, MAX_MEMBER, Claims, Partition, Release, Topic, TopicId
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from offsets_svc.api.resources import DATABASE, body_of, consumer_of, topic_id_of
from offsets_svc.store import claims


class ClaimIn(msgspec.Struct, forbid_unknown_fields=True):
    """Partitions to take over. `member` is for people: who has them from now on."""

    topic: Topic
    partitions: Annotated[list[Partition], Meta(min_length=1, max_length=MAX_CLAIM)]
    member: Annotated[str, Meta(min_length=1, max_length=MAX_MEMBER)]
    topic_id: TopicId | None = None


class ReleasesIn(msgspec.Struct, forbid_unknown_fields=True):
    """Partitions to give up, each by the epoch of its claim."""

    topic: Topic
    claims: Annotated[list[Release], Meta(min_length=1, max_length=MAX_CLAIM)]


_claim = msgspec.json.Decoder(ClaimIn)
_releases = msgspec.json.Decoder(ReleasesIn)


async def claim(request: web.Request) -> Answer:
    """Take partitions over. Each answer has the epoch that commits must carry from now on, and where to go on."""
    queries.parse(request, queries.NoQuery)
    consumer, wanted = consumer_of(request), await body_of(request, _claim)
    if len(set(wanted.partitions)) < len(wanted.partitions):
        raise InvalidRequest("partitions names a partition twice", field="partitions")
    if not wanted.member.isprintable():
        raise InvalidRequest("member must have printable characters only", field="member")
    topic_id = topic_id_of(wanted.topic_id)
    database = request.app[DATABASE]
    found = await claims.claim(database, consumer, wanted.topic, wanted.partitions, wanted.member, topic_id)
    return bodies.json_response(Claims(found))


async def release(request: web.Request) -> Answer:
    """Give partitions up, in good order: nobody has them then. Those that somebody else has by now stay his."""
    queries.parse(request, queries.NoQuery)
    consumer, gone = consumer_of(request), await body_of(request, _releases)
    return bodies.json_response(Changed(await claims.release(request.app[DATABASE], consumer, gone.topic, gone.claims)))


CLAIM = {"topic": "eskit.application-log", "partitions": [0, 1], "member": "host-1"}

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/consumers/{consumer}/claims",
        handler=claim,
        query=queries.NoQuery,
        body=Content("The partitions.", {JSON: ClaimIn}, example=CLAIM),
        answers={200: Content("The claims, in the order of the partitions.", {JSON: Claims})},
        errors=(TopicChanged,),
    ),
    Operation(
        method="POST",
        path="/v1/consumers/{consumer}/releases",
        handler=release,
        query=queries.NoQuery,
        body=Content("The claims.", {JSON: ReleasesIn}),
        answers={200: Content("How many partitions were still its own.", {JSON: Changed})},
    ),
)
