"""`python -m eventstore_svc.republish`: after a topic was lost, let the relay publish the whole log to a new one."""

from __future__ import annotations

import argparse
import sys

from eskit import settings
from eskit.errors import EskitError
from eskit.postgres.boundary import boundary
from eskit.postgres.migrations import connect_as_owner
from eskit.postgres.statements import statement
from eventstore_svc.store import schema

REPUBLISH = statement("eventstore_svc", "republish")


def main() -> int:
    """As the owner of the schema, with the relay stopped; 0, or 1 with what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m eventstore_svc.republish", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="do it; without this only what would be done is said")
    arguments = parser.parse_args()
    config = settings.load()
    name = schema(config).name
    if not arguments.yes:
        sys.stderr.write(f"would publish the whole log of {name} to a new topic {config.topic}; say --yes to do it\n")
        return 0
    try:
        with boundary(), connect_as_owner(config.require("database_url").database_url) as connection:
            connection.execute("SELECT set_config('search_path', %s, false)", (f"{name},pg_temp",))
            events = connection.execute(REPUBLISH).rowcount
    except EskitError as error:
        sys.stderr.write(f"republish: {error.detail}\n")
        return 1
    sys.stderr.write(f"{name}: {events} events wait for a relay and a topic without records\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
