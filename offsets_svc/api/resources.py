"""What the calls need, and how they read what every one of them has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit import names
from eskit.errors import InvalidRequest
from eskit.kafka.topics import canonical
from eskit.offsets import MAX_PARTITION, Topic
from eskit.web import bodies
from eskit.web.operations import JSON
from offsets_svc.store import consumers
from offsets_svc.store.commits import Committer
from offsets_svc.store.database import Database, open_database
from offsets_svc.topics.watch import MAX_TOPICS, Watch

T = TypeVar("T")

DATABASE: web.AppKey[Database] = web.AppKey("database", Database)
COMMITTER: web.AppKey[Committer] = web.AppKey("committer", Committer)
WATCH: web.AppKey[Watch] = web.AppKey("watch", Watch)

MAX_PAGE = 1000
Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most entries of a page.")]


async def opened(app: web.Application) -> AsyncIterator[None]:
    """The database, and what works beside the calls."""
    settings = app[bodies.SETTINGS]
    async with open_database(settings, "eskit offsets") as database:
        app[DATABASE] = database
        app[COMMITTER] = Committer(database)
        app[WATCH] = Watch(settings, lambda: consumers.topics(database, MAX_TOPICS))
        beside = [asyncio.create_task(app[WATCH].run()), asyncio.create_task(consumers.keep_thin(database))]
        yield
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        app[WATCH].stop()
        await app[COMMITTER].close()


def consumer_of(request: web.Request) -> str:
    """The consumer in the path; raises InvalidRequest."""
    return names.consumer(request.match_info["consumer"])


async def body_of(request: web.Request, decoder: msgspec.json.Decoder[T]) -> T:
    """The body; raises MalformedRequest, InvalidRequest, TooLarge."""
    return bodies.decode(await bodies.read(request, JSON), decoder)


def topic_of(request: web.Request) -> str:
    """The topic in the path; raises InvalidRequest."""
    try:
        return msgspec.convert(request.match_info["topic"], Topic)
    except msgspec.ValidationError:
        message = "topic must have 1 to 249 letters, digits, `.`, `_`, `-`"
        raise InvalidRequest(message, field="topic") from None


def number_of(request: web.Request, name: str, most: int = MAX_PARTITION) -> int:
    """A whole number in the path; raises InvalidRequest."""
    given = request.match_info[name]
    value = int(given) if given.isascii() and given.isdecimal() and len(given) <= 19 else -1
    if not 0 <= value <= most:
        raise InvalidRequest(f"{name} must be a whole number from 0 to {most}", field=name)
    return value


def topic_id_of(given: str | None, field: str = "topic_id") -> str | None:
    """As it is stored; raises InvalidRequest."""
    if given is None:
        return None
    try:
        return canonical(given)
    except ValueError:
        raise InvalidRequest(f"{field} must be a UUID, or the 22 characters that Kafka prints", field=field) from None
