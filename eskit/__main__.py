"""The `eskit` command."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import entry_points

from eskit import __version__, settings
from eskit.cli import consume, dead_letters, export, import_, rebuild, verify
from eskit.cli.saying import say
from eskit.errors import EskitError
from eskit.postgres.boundary import boundary
from eskit.postgres.migrations import Schema, migrate
from eskit.settings import Settings


def schemas(config: Settings) -> list[Schema]:
    """The schemas of all installed services, with the log's name in theirs."""
    return [Schema(config.schema(e.name), e.value) for e in sorted(entry_points(group="eskit.schemas"))]


def migrate_all(arguments: argparse.Namespace) -> int:
    """Bring every schema up to date; safe to run again, and by several at once."""
    config = settings.load()
    url = arguments.database_url or config.require("database_url").database_url
    for schema in schemas(config):
        with boundary():
            ran = migrate(url, schema, say)
        say(f"{schema.name}: version {schema.version}, {ran or 'no'} new migration{'s' if ran != 1 else ''}")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line, with help for each command."""
    top = argparse.ArgumentParser(prog="eskit", description=__doc__)
    top.add_argument("--version", action="version", version=f"eskit {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "migrate", help="bring the database schemas up to date", description=migrate_all.__doc__
    )
    command.add_argument("--database-url", help="the owner's URL; default: ESKIT_DATABASE_URL, DATABASE_URL")
    command.set_defaults(run=migrate_all)
    consume.add_to(commands)
    dead_letters.add_to(commands)
    export.add_to(commands)
    import_.add_to(commands)
    rebuild.add_to(commands)
    verify.add_to(commands)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0, or 1 with one line that says what is wrong."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except EskitError as error:
        say(error.detail)
        return 1


if __name__ == "__main__":
    sys.exit(main())
