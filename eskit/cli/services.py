"""The services that a command talks to, as its arguments say."""

from __future__ import annotations

import argparse

PATIENCE_S = 30.0


def add_services(command: argparse.ArgumentParser) -> None:
    """Declare where they are, and how long they may be away."""
    command.add_argument("--crud-url", metavar="URL", help="the CRUD service; default: ESKIT_CRUD_URL")
    command.add_argument("--eventstore-url", metavar="URL", help="the event store; default: ESKIT_EVENTSTORE_URL")
    command.add_argument("--patience", metavar="SECONDS", type=float, default=PATIENCE_S,
                         help="how long a service may be away before it is given up (%(default)g)")  # fmt: skip
