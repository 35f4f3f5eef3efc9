"""A running event store with its feed at hand, for the tests of readers that wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from eskit.settings import Settings
from eventstore_svc.api.resources import FEED
from eventstore_svc.app import eventstore_app
from eventstore_svc.live.feed import Feed
from tests.integration.eventstore_calls import GOOD, Api
from tests.services import config_for, running


class Live(Api):
    """A running store with its feed at hand."""

    feed: Feed

    def tail(self, query: str = "", last_id: int | None = None) -> Any:
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        return self.session.get(f"{self.url}/v1/log/tail{query}", headers=headers)


@asynccontextmanager
async def open_live(config: Settings) -> AsyncIterator[Live]:
    """With short times."""
    quick = config_for(config.database_url, tail_heartbeat_s=0.2, tail_poll_s=0.2, max_waiting=50, write_timeout_s=0.5)
    app = eventstore_app(quick)
    async with running(app, quick, "eventstore_port") as url, aiohttp.ClientSession() as session:
        api = Live(url, session)
        api.feed = app[FEED]
        yield api


async def append(api: Api, count: int = 1, kind: str = "User.Created") -> None:
    for _ in range(count):
        assert (await api.append(GOOD | {"event_type": kind}))[0] == 201
