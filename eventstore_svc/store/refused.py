"""What Postgres does not take although it was checked: of that batch nothing is stored, for certain."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from eskit.errors import EskitError, InvalidRequest
from eventstore_svc.store.records import NewEvent

_BAD_DATA = ("22", "23")  # classes of SQLSTATE: data exceptions, and what integrity forbids


class Refused(Exception):
    """A batch was refused, by the database or on the way to it; the cause is `__cause__`."""

    def error(self, append: Sequence[NewEvent]) -> EskitError:
        """What the one append gets that is to blame. The message shows neither SQL nor values."""
        state = self.__cause__.sqlstate if isinstance(self.__cause__, psycopg.Error) else None
        if state is None or not state.startswith(_BAD_DATA):
            error = EskitError("Something went wrong on our side; nothing of this append is stored")
        else:
            message = f"The database does not take this append (SQLSTATE {state}); nothing of it is stored"
            error = InvalidRequest(message, field=_field(append))
        error.__cause__ = self.__cause__
        return error


def _field(append: Sequence[NewEvent]) -> str:
    """Which of several events it is nobody says."""
    at = append[0].at.rstrip(".")
    if not at:
        return "body"
    return at if len(append) == 1 else "events"
