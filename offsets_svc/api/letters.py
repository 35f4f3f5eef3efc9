"""Dead letters, as people look at them and decide on them: `…/dead-letters`, `…/parked`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit.errors import InvalidRequest, NotFound
from eskit.letters import Changed, DiscardLetters, Kept, LettersPage, ParkedKeys, RetryLetters
from eskit.offsets import MAX_NUMBER, Partition, Topic
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from offsets_svc.api.resources import DATABASE, MAX_PAGE, Limit, body_of, consumer_of, number_of, topic_of
from offsets_svc.store import letter_pages, letters
from offsets_svc.store.letter_pages import Place, Wanted

# With their records, letters may be large.
MAX_RECORDS = 100
AFTER = "Where the page begins: the `next` of the one before."


class LettersQuery(msgspec.Struct, kw_only=True):
    """Which letters."""

    topic: Topic | None = None
    partition: Partition | None = None
    key: Annotated[str, Meta(max_length=200, description="Only those of this originator.")] | None = None
    failed: Annotated[bool, Meta(description="Only those that failed, or only those that wait behind one.")] | None = (
        None
    )
    with_record: Annotated[
        bool, Meta(description=f"With value and headers: {MAX_RECORDS} letters, or 4 MiB, at most.")
    ] = False
    after: Annotated[str, Meta(max_length=300, description=AFTER)] | None = None
    limit: Limit = 100


class ParkedQuery(msgspec.Struct, kw_only=True):
    """Which keys."""

    topic: Topic | None = None
    partition: Partition | None = None
    retry: Annotated[bool, Meta(description="Only those to be handled again, or only the others.")] | None = None
    count: Annotated[bool, Meta(description="With the number of letters of each.")] = True
    after: Annotated[str, Meta(max_length=600, description=AFTER)] | None = None
    limit: Limit = 100


class LetterConsumers(msgspec.Struct):
    """The consumers that have set anything aside, each with the number of keys that wait."""

    consumers: dict[str, int]


_retry = msgspec.json.Decoder(RetryLetters)
_discard = msgspec.json.Decoder(DiscardLetters)


async def list_letters(request: web.Request) -> Answer:
    """Letters in the order of topic, partition, offset."""
    query = queries.parse(request, LettersQuery)
    limit = min(query.limit, MAX_RECORDS) if query.with_record else query.limit
    wanted = Wanted(topic=query.topic, partition=query.partition, key=query.key, failed=query.failed)
    return bodies.json_response(
        await letter_pages.page(
            request.app[DATABASE], consumer_of(request), wanted, _place(query.after), limit, records=query.with_record
        )
    )


async def list_parked(request: web.Request) -> Answer:
    """The keys that wait, in the order of topic, partition, key."""
    query = queries.parse(request, ParkedQuery)
    wanted = Wanted(topic=query.topic, partition=query.partition, retry=query.retry)
    after = Place()
    if query.after is not None:
        topic, number, key = _after(query.after)
        after = Place(topic, number, key=key)
    return bodies.json_response(
        await letter_pages.parked(
            request.app[DATABASE], consumer_of(request), wanted, after, query.limit, count=query.count
        )
    )


def _after(text: str) -> tuple[str, int, str]:
    topic, _, rest = text.partition("/")
    number, slash, last = rest.partition("/")
    if not slash or not number.isdecimal() or len(number) > 6:
        raise _not_after()
    return topic, int(number), last


def _not_after() -> InvalidRequest:
    return InvalidRequest("after must be the `next` of a page", field="after")


def _place(text: str | None) -> Place:
    if text is None:
        return Place()
    topic, number, offset = _after(text)
    if not offset.isdecimal() or len(offset) > 18:
        raise _not_after()
    return Place(topic, number, int(offset))


async def get_letter(request: web.Request) -> Answer:
    """One letter with its record."""
    queries.parse(request, queries.NoQuery)
    topic, partition = topic_of(request), number_of(request, "partition")
    offset = number_of(request, "offset", MAX_NUMBER)
    return bodies.json_response(
        await letter_pages.one(request.app[DATABASE], consumer_of(request), topic, partition, offset)
    )


async def retry(request: web.Request) -> Answer:
    """Let the owner of the partition handle the letters of keys again, in their order; then they flow as before."""
    queries.parse(request, queries.NoQuery)
    consumer, wanted = consumer_of(request), await body_of(request, _retry)
    if wanted.all == bool(wanted.keys):
        raise InvalidRequest("give either keys or all", field="keys")
    return bodies.json_response(Changed(await letters.retry(request.app[DATABASE], consumer, wanted)))


async def discard(request: web.Request) -> Answer:
    """Throw letters of a key away: the failed ones, those at given offsets, or all. What waited behind is handled."""
    queries.parse(request, queries.NoQuery)
    consumer, wanted = consumer_of(request), await body_of(request, _discard)
    if wanted.all and wanted.offsets:
        raise InvalidRequest("give either offsets or all", field="offsets")
    return bodies.json_response(Changed(await letters.discard(request.app[DATABASE], consumer, wanted)))


async def list_letter_consumers(request: web.Request) -> Answer:
    """The consumers that have set anything aside."""
    queries.parse(request, queries.NoQuery)
    return bodies.json_response(LetterConsumers(await letter_pages.consumers(request.app[DATABASE], MAX_PAGE)))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/dead-letters",
        handler=list_letter_consumers,
        query=queries.NoQuery,
        answers={200: Content("Keys that wait, by consumer.", {JSON: LetterConsumers})},
    ),
    Operation(
        method="GET",
        path="/v1/consumers/{consumer}/dead-letters",
        handler=list_letters,
        query=LettersQuery,
        answers={200: Content("A page.", {JSON: LettersPage})},
    ),
    Operation(
        method="GET",
        path="/v1/consumers/{consumer}/dead-letters/{topic}/{partition}/{offset}",
        handler=get_letter,
        query=queries.NoQuery,
        answers={200: Content("The letter.", {JSON: Kept})},
        errors=(NotFound,),
    ),
    Operation(
        method="GET",
        path="/v1/consumers/{consumer}/parked",
        handler=list_parked,
        query=ParkedQuery,
        answers={200: Content("A page.", {JSON: ParkedKeys})},
    ),
    Operation(
        method="POST",
        path="/v1/consumers/{consumer}/dead-letters/retry",
        handler=retry,
        query=queries.NoQuery,
        body=Content("Which keys.", {JSON: RetryLetters}, example={"keys": ["order-7"]}),
        answers={200: Content("How many keys that is.", {JSON: Changed})},
    ),
    Operation(
        method="POST",
        path="/v1/consumers/{consumer}/dead-letters/discard",
        handler=discard,
        query=queries.NoQuery,
        body=Content("Which letters.", {JSON: DiscardLetters}, example={"key": "order-7"}),
        answers={200: Content("How many letters that was.", {JSON: Changed})},
    ),
)
