"""Which consumers can be rebuilt, and under which names."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from eskit.consumer import Consumer, Target
from eskit.consumer.transactions.rebuild import pair
from eskit.errors import SettingsError


async def test_what_cannot_be_copied_is_said_at_once() -> None:
    with pytest.raises(SettingsError, match="Target"):
        pair(Consumer("plain"), "plain-2", "plain_2")
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool("", open=False)
    with pytest.raises(SettingsError, match="Target"):
        pair(Consumer("own", transaction=pool), "own-2", "own_2")
    with pytest.raises(SettingsError, match="name of its own"):
        pair(Consumer("one", transaction=Target("one")), "one", "two")
    with pytest.raises(SettingsError, match="schema of its own"):
        pair(Consumer("one", transaction=Target("one")), "two", "one")
