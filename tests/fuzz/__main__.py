"""`python -m tests.fuzz --requests 100000`: fuzz a service on a PostgreSQL of its own, then look at its log."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import crud, eventstore
from tests.fuzz.ledger import Fault
from tests.fuzz.sending import say

SERVICES = {"eventstore": eventstore.run, "crud": crud.run}


def main() -> int:
    """0, or 1 with the fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--service", choices=list(SERVICES), default="eventstore", help="which (default eventstore)")
    parser.add_argument("--requests", type=int, default=20_000, help="how many (default 20000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same requests (default 1)")
    arguments = parser.parse_args()
    try:
        say(SERVICES[arguments.service](arguments.requests, arguments.seed))
    except Fault as fault:
        say(str(fault))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
