"""Looking at consumers, and deleting one: `/v1/consumers`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit import names
from eskit.errors import ConsumerActive, NotFound
from eskit.offsets import ConsumersPage, ConsumerState, History, Partition, Text, Topic
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from offsets_svc.api.resources import DATABASE, MAX_PAGE, WATCH, Limit, consumer_of
from offsets_svc.store import consumers, resets
from offsets_svc.store.database import Row

PATIENCE_S = 0.5  # for records that say how old what a consumer has before it is

Name = Annotated[str, Meta(pattern=names.CONSUMER_PATTERN)]


class PageQuery(msgspec.Struct, kw_only=True):
    """Which page."""

    limit: Limit = 100
    after: Annotated[Name, Meta(description="A consumer's name: the page begins behind it.")] | None = None


class HistoryQuery(msgspec.Struct, kw_only=True):
    """Which part of a history."""

    topic: Topic
    partition: Annotated[Partition, Meta(description="Only this partition.")] | None = None
    since: Annotated[datetime, Meta(tz=True, description="From this moment on; an hour ago by default.")] | None = None
    limit: Limit = MAX_PAGE


class DeleteQuery(msgspec.Struct, kw_only=True):
    """How to delete."""

    force: Annotated[bool, Meta(description="Also while somebody consumes; he is fenced by it.")] = False
    by: Annotated[Text, Meta(description="Who does it.")] | None = None
    reason: Annotated[Text, Meta(description="Why.")] | None = None


async def list_consumers(request: web.Request) -> Answer:
    """Consumers in the order of their names: where each is, how far behind, who works on it."""
    query = queries.parse(request, PageQuery)
    after = "" if query.after is None else names.consumer(query.after, "after")
    found = await _states(request.app, await consumers.page(request.app[DATABASE], after, query.limit))
    following = found[-1].name if len(found) == query.limit else None
    return bodies.json_response(ConsumersPage(found, following, request.app[WATCH].reason))


async def get_consumer(request: web.Request) -> Answer:
    """One consumer with its partitions."""
    queries.parse(request, queries.NoQuery)
    rows = await consumers.one(request.app[DATABASE], consumer_of(request))
    [found] = await _states(request.app, rows, PATIENCE_S)
    return bodies.json_response(found)


async def _states(app: web.Application, rows: list[Row], patience_s: float = 0.0) -> list[ConsumerState]:
    lags = await app[WATCH].lags(consumers.places(rows), patience_s)
    return consumers.states(rows, lags, app[WATCH].reason)


async def get_history(request: web.Request) -> Answer:
    """How a consumer's offsets have moved, oldest first: a point in ten seconds at most, fewer of what is old."""
    query = queries.parse(request, HistoryQuery)
    name = consumer_of(request)
    found = await consumers.history(
        request.app[DATABASE], name, query.topic, partition=query.partition, since=query.since, limit=query.limit
    )
    return bodies.json_response(found)


async def delete_consumer(request: web.Request) -> Answer:
    """Delete a consumer with its offsets and dead letters. It can begin anew under its name."""
    query = queries.parse(request, DeleteQuery)
    hand = resets.Hand(query.by, query.reason, query.force)
    await resets.delete(request.app[DATABASE], consumer_of(request), hand)
    return Answer(status=204)


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/consumers",
        handler=list_consumers,
        query=PageQuery,
        answers={200: Content("A page.", {JSON: ConsumersPage})},
    ),
    Operation(
        method="GET",
        path="/v1/consumers/{consumer}",
        handler=get_consumer,
        query=queries.NoQuery,
        answers={200: Content("The consumer.", {JSON: ConsumerState})},
        errors=(NotFound,),
    ),
    Operation(
        method="DELETE",
        path="/v1/consumers/{consumer}",
        handler=delete_consumer,
        query=DeleteQuery,
        answers={204: Content("It is deleted.")},
        errors=(NotFound, ConsumerActive),
    ),
    Operation(
        method="GET",
        path="/v1/consumers/{consumer}/history",
        handler=get_history,
        query=HistoryQuery,
        answers={200: Content("The points.", {JSON: History})},
    ),
)
