"""The one boundary to the driver: what psycopg raises comes out as an error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
import psycopg_pool

from eskit.errors import SchemaMismatch, Unavailable

T = TypeVar("T")

# A driver's error that means "the server is not there (for us, now)": trying again later may well succeed.
AWAY: tuple[type[Exception], ...] = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg_pool.PoolTimeout,
    psycopg_pool.PoolClosed,
    psycopg_pool.TooManyRequests,
    psycopg.errors.ReadOnlySqlTransaction,
)
# The tables or the rights are not there: the migrations have not run on this database.
NOT_MIGRATED: tuple[type[Exception], ...] = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)


@contextmanager
def boundary() -> Iterator[None]:
    """Turn a driver error inside into Unavailable or SchemaMismatch. The message shows neither SQL nor addresses."""
    try:
        yield
    except AWAY as error:
        raise Unavailable("The database cannot be reached or is too busy; try again") from error
    except NOT_MIGRATED as error:
        raise SchemaMismatch("The database lacks tables or rights of this version; run `eskit migrate`") from error


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Run a section that holds a connection to its end, also when the caller is cancelled half way.

    A task that is cancelled inside psycopg can leave its connection in a transaction.
    """
    return await asyncio.shield(asyncio.ensure_future(work))
