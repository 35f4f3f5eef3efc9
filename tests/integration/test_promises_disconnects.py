"""P1 and P8 when clients go away at any moment of an append: nothing half done, nothing leaked, nothing lost."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
from collections import Counter

import aiohttp
import psycopg

from eskit.ids import uuid7
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from tests.integration.eventstore_calls import GOOD, Api
from tests.services import running, until

ATTEMPTS = 10_000
AT_ONCE = 100
ANSWERED = b"HTTP/1.1 201"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST, as a machine that has lost its connection would

# What a client does before it leaves: how much of its request it sends, and how much of the answer it waits for.
MOMENTS = {
    "connected": (0.0, None),
    "in the header": (0.3, None),
    "in the body": (0.8, None),
    "all but the last byte": (-1, None),
    "right after sending": (1.0, None),
    "while it is stored": (1.0, 0),
    "in the answer": (1.0, len(ANSWERED)),
    "after the answer": (1.0, 65_536),
}


def request(ident: str, stream: int) -> bytes:
    """An append of one event."""
    body = (
        f'{{"event_id":"{ident}","originator":{{"id":"s{stream}"}},"event_type":"Thing.Changed","payload":{{"n":1}}}}'
    )
    return f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Leaver:
    """Clients that leave, and what they saw before."""

    def __init__(self, url: str) -> None:
        self._port = int(url.rpartition(":")[2])
        self._dice = random.Random(1)
        self.sent: set[str] = set()  # ids of events that were sent whole
        self.seen: set[str] = set()  # ids whose 201 was seen
        self.left: Counter[str] = Counter()

    async def come_and_go(self) -> None:
        """Perhaps append something whole first, on the same connection; then leave somewhere in an append."""
        loop = asyncio.get_running_loop()
        moment = self._dice.choice(list(MOMENTS))
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", self._port))
            if self._dice.random() < 0.2:
                await self._append(client, 1.0, 65_536)
            await self._append(client, *MOMENTS[moment])
            if self._dice.random() < 0.5:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.left[moment] += 1

    async def _append(self, client: socket.socket, part: float, answer_bytes: int | None) -> None:
        loop = asyncio.get_running_loop()
        ident = str(uuid7())
        data = request(ident, self._dice.randrange(50))
        await loop.sock_sendall(client, data[: int(part * len(data))] if part >= 0 else data[:-1])
        if part == 1:
            self.sent.add(ident)
        if answer_bytes == 0:
            await asyncio.sleep(self._dice.uniform(0, 0.01))
        elif answer_bytes is not None and (await loop.sock_recv(client, answer_bytes)).startswith(ANSWERED):
            self.seen.add(ident)


async def test_10000_clients_that_leave_in_the_middle(config: Settings) -> None:
    """No session in a transaction, no connection or task left over; what was answered is there, what was cut is not."""
    async with (
        running(eventstore_app(config), config, "eventstore_port") as url,
        aiohttp.ClientSession() as session,
        await psycopg.AsyncConnection.connect(config.database_url, autocommit=True) as database,
    ):
        api = Api(url, session)
        assert (await api.append(GOOD))[0] == 201
        files, tasks = open_files(), len(asyncio.all_tasks())
        leaver = Leaver(url)
        todo = iter(range(ATTEMPTS))

        async def clients() -> None:
            for _ in todo:
                await leaver.come_and_go()

        await asyncio.gather(*(clients() for _ in range(AT_ONCE)))
        assert leaver.left.total() == ATTEMPTS
        assert min(leaver.left[moment] for moment in MOMENTS) > ATTEMPTS // len(MOMENTS) / 2
        assert len(leaver.seen) > ATTEMPTS // len(MOMENTS)

        # Whatever was on its way has come to its end: then no connection, task or transaction is left of it.
        await until(lambda: len(asyncio.all_tasks()) <= tasks + config.pool_size)
        await until(lambda: open_files() <= files + config.pool_size, say=open_files)
        sessions = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        states = Counter(state for (state,) in await (await database.execute(sessions)).fetchall())
        assert states.keys() <= {"idle"}
        assert states.total() <= config.pool_size + 2
        assert (await api.append(GOOD))[0] == 201

        await database.execute("SET search_path = eventstore")
        rows = await (
            await database.execute("SELECT event_id::text FROM events WHERE entity_type = 'Thing'")
        ).fetchall()
        dense = "SELECT count(*) = max(position) AND count(*) = (SELECT count(*) FROM outbox) FROM events"
        assert await (await database.execute(dense)).fetchone() == (True,)
        streams = "SELECT count(*) AS n, max(version) AS last FROM events GROUP BY entity_type, originator_id"
        versions = f"SELECT bool_and(n = last) FROM ({streams}) AS streams"
        assert await (await database.execute(versions)).fetchone() == (True,)
    assert leaver.seen <= {ident for (ident,) in rows} <= leaver.sent


def open_files() -> int:
    """File descriptors of this process."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - of Path.iterdir one is open while it is counted
