"""Calls of the event store over HTTP, as plain as a client of any language makes them."""

from __future__ import annotations

from typing import Any

import aiohttp
from yarl import URL

GOOD: dict[str, Any] = {"originator": {"id": "u1"}, "event_type": "User.Created", "payload": {"n": 1}}
ID = "01a20c57-9331-7971-8669-ffaba7c628bf"


class Api:
    """A session on one running event store."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self.session = url, session

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
        """Status, decoded body, headers."""
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, **more) as response:
            return response.status, await response.json(content_type=None), response.headers

    async def append(self, body: Any, **headers: str) -> tuple[int, Any]:
        """POST /v1/events."""
        how = {"data": body} if isinstance(body, bytes) else {"json": body}
        wanted = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        status, answer, _ = await self.call("POST", "/v1/events", headers=wanted, **how)
        return status, answer

    async def get(self, path: str) -> tuple[int, Any]:
        status, answer, _ = await self.call("GET", path)
        return status, answer
