"""The CRUD service over REST: its calls and what they need."""

from __future__ import annotations

from aiohttp import web

from crud_svc import database
from crud_svc.api import batch, entities, history, indexes, list_resources, lists, reading, type_check, types
from crud_svc.api.resources import STORE, opened
from eskit.settings import Settings
from eskit.web.app import create_app
from eskit.web.bodies import SETTINGS

OPERATIONS = (
    *batch.OPERATIONS,
    *entities.OPERATIONS,
    *reading.OPERATIONS,
    *history.OPERATIONS,
    *lists.OPERATIONS,
    *indexes.OPERATIONS,
    *types.OPERATIONS,
    *type_check.OPERATIONS,
)

DESCRIPTION = "JSON objects with versions and their whole history. Every change is an event of the log."


async def _check(app: web.Application) -> None:
    await app[STORE].check()
    await database.check(app[SETTINGS])


def crud_app(settings: Settings) -> web.Application:
    """The CRUD service."""
    return create_app(
        "crud",
        settings,
        routes=OPERATIONS,
        resources=[opened, list_resources.opened],
        checks={"database": _check},
        description=DESCRIPTION,
    )
