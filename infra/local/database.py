"""The local stack's PostgreSQL: one that is given, or a server of our own with a database `eskit` in it."""

from collections.abc import Mapping
from pathlib import Path

import psycopg

from infra.local.ports import is_taken, preferred_port
from infra.local.postgres import PostgresServer
from infra.local.services import WrongSettingError
from infra.local.terminal import say

DATABASE = "eskit"
PREFERRED_PORT = 15432
PORT_VARIABLE = "ESKIT_POSTGRES_PORT"


def check_given(url: str) -> None:
    """WrongSettingError when a given database does not answer; the message keeps the password to itself."""
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.Error as error:
        raise WrongSettingError(f"the database that DATABASE_URL names does not answer: {error}") from None
    say("PostgreSQL: the one that DATABASE_URL names")


def own_server(home: Path, environ: Mapping[str, str]) -> PostgresServer:
    """Our own server, not started."""
    return PostgresServer(home / "postgres", port=chosen_port(environ, PORT_VARIABLE, PREFERRED_PORT))


def chosen_port(environ: Mapping[str, str], variable: str, preferred: int) -> int:
    """The port that a variable names, which must be free; else the preferred one or any other."""
    text = environ.get(variable)
    if not text:
        return preferred_port(preferred)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise WrongSettingError(f"{variable} is {text!r}: a port is a number from 1 to 65535")
    if is_taken(int(text)):
        raise WrongSettingError(f"port {text} is taken: set {variable} to another one, or leave it unset")
    return int(text)
