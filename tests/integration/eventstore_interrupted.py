"""An event store in a process of its own that is stopped, killed, cut off its database, and asked until it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import aiohttp
import psycopg

from eskit.settings import Settings
from tests.integration.eventstore_calls import Api
from tests.integration.eventstore_model import Answer, Request
from tests.services import ServiceProcess, until

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""
NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}
PATIENCE_S = 60.0


class Interrupted:
    """Calls that are made again, with the same ids, while nobody can say what became of them."""

    def __init__(self, config: Settings, session: aiohttp.ClientSession) -> None:
        """Not started yet."""
        self.process = ServiceProcess("eventstore_svc", config, "eventstore_port")
        self.api = Api(self.process.url, session)
        self.repeated = 0  # calls whose outcome was not known
        self._config = config

    async def interrupt(self, how: str) -> None:
        """`sessions`: the database ends them; `kill`, `stop`: the process ends, and is started again."""
        if how == "sessions":
            async with await psycopg.AsyncConnection.connect(self._config.database_url, autocommit=True) as owner:
                await owner.execute(CUT)
            return
        await asyncio.to_thread(self.process.kill if how == "kill" else self.process.stop)
        await self.process.start().ready()

    async def append(self, request: Request) -> Answer:
        """POST /v1/events."""
        body = request[0] if len(request) == 1 else {"events": request}
        return answer(*await self._asked("/v1/events", json.dumps(body).encode(), JSON))

    async def batch(self, requests: Sequence[Request], *, lines: bool) -> list[Answer]:
        """POST /v1/events/batch, at a time when nothing interrupts."""
        appends = [request[0] if len(request) == 1 else {"events": request} for request in requests]
        body = {"data": b"\n".join(json.dumps(append).encode() for append in appends)} if lines else {
            "json": {"appends": appends}}  # fmt: skip
        headers = NDJSON if lines else JSON
        async with self.api.session.post(f"{self.api.url}/v1/events/batch", headers=headers, **body) as response:
            assert response.status == 200
            text = await response.text()
        results = [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)["results"]
        assert [result.get("line") for result in results] == [n + 1 if lines else None for n in range(len(requests))]
        return [answer(result["status"], result if "events" in result else result["problem"]) for result in results]

    async def _asked(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        found: list[tuple[int, Any]] = []

        async def answered() -> bool:
            try:
                status, decoded, _ = await self.api.call("POST", path, data=body, headers=headers)
            except (aiohttp.ClientError, ConnectionError):
                self.repeated += 1
                return False
            self.repeated += status == 503
            found.append((status, decoded))
            return status != 503

        await until(answered, PATIENCE_S, lambda: found[-1:])
        return found[-1]


def answer(status: int, body: Any) -> Answer:
    """As the model answers."""
    if status < 300:
        return Answer(
            status, "", [(UUID(e["event_id"]), e["originator"]["version"], e["position"]) for e in body["events"]]
        )
    return Answer(status, body["code"], body.get("actual"))
