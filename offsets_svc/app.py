"""The offsets service over REST: its calls and what they need."""

from __future__ import annotations

from aiohttp import web

from eskit.settings import Settings
from eskit.web.app import create_app
from offsets_svc.api import claims, commits, consumers, letters, owners, resets
from offsets_svc.api.resources import DATABASE, opened

OPERATIONS = (
    *claims.OPERATIONS,
    *commits.OPERATIONS,
    *consumers.OPERATIONS,
    *resets.OPERATIONS,
    *letters.OPERATIONS,
    *owners.OPERATIONS,
)

DESCRIPTION = "Who reads which partition, how far each consumer has come, and what it has set aside."


def offsets_app(settings: Settings) -> web.Application:
    """The offsets service."""
    return create_app(
        "offsets",
        settings,
        routes=OPERATIONS,
        resources=[opened],
        checks={"database": lambda app: app[DATABASE].check()},
        description=DESCRIPTION,
    )
