"""`POST /v1/types/{entity_type}:check`: a schema against the entities that are stored, before it is put."""

from __future__ import annotations

import msgspec
from aiohttp import web

from crud_svc.api.resources import DRY_RUNS, TYPES
from crud_svc.api.types import EXAMPLE, TYPE_PATH, TypeIn, body
from crud_svc.types.dry_run import Tally
from crud_svc.types.validators import Validator
from eskit import names
from eskit.errors import Overloaded
from eskit.types import Checked, Incompatibility
from eskit.web import bodies, queries
from eskit.web.connection import connection_of
from eskit.web.context import WAITS
from eskit.web.operations import JSON, NDJSON, Content, Operation
from eskit.web.streamed import streamed


class Progress(msgspec.Struct, frozen=True):
    """How far a dry run has come."""

    checked: int
    violating: int


_encoder = msgspec.json.Encoder()


async def check_type(request: web.Request) -> web.StreamResponse:
    """How many of the stored entities would violate a schema, and which are the first. Nothing is changed.

    With `Accept: application/x-ndjson` each line tells how far it has come, and the last one is the result; a body that
    breaks off without it did not come to its end. Each entity is taken as it is when its turn comes.
    """
    queries.parse(request, queries.NoQuery)
    entity_type = names.entity_type(request.match_info["entity_type"])
    given = await body(request)
    types, runs = request.app[TYPES], request.app[DRY_RUNS]
    schema = await types.accepted(given.schema)
    breaks = await types.breaks(entity_type, schema, given.compatibility)
    validator = types.validators.trial(entity_type, schema)
    with runs.place():
        if NDJSON in request.headers.get("Accept", ""):
            return await _lines(request, entity_type, validator, breaks)
        request[WAITS] = True
        tally = Tally()
        with connection_of(request).until_left():
            async for found in runs.run(entity_type, validator):
                tally = found
    return bodies.json_response(_checked(tally, breaks))


async def _lines(
    request: web.Request, entity_type: str, validator: Validator, breaks: list[Incompatibility]
) -> web.StreamResponse:
    tally = Tally()
    async with streamed(request, NDJSON) as writer:
        async for tally in request.app[DRY_RUNS].run(entity_type, validator):
            await writer.write(_encoder.encode(Progress(tally.checked, tally.violating)) + b"\n")
        await writer.write(_encoder.encode(_checked(tally, breaks)) + b"\n")
    return writer.response


def _checked(tally: Tally, breaks: list[Incompatibility]) -> Checked:
    return Checked(tally.checked, tally.violating, tally.first, breaks)


OPERATIONS = (
    Operation(
        method="POST",
        path=f"{TYPE_PATH}:check",
        handler=check_type,
        query=queries.NoQuery,
        headers={"Accept": f"`{NDJSON}`: lines of progress, then the result."},
        body=Content("The schema to try, as it would be put.", {JSON: TypeIn}, example=EXAMPLE),
        answers={200: Content("What it would mean.", {JSON: Checked, NDJSON: (Progress, Checked)})},
        errors=(Overloaded,),
    ),
)
