"""`python -m eventstore_svc`: the event store's REST service."""

import sys

from eskit.lifecycle import run
from eventstore_svc.app import eventstore_app

if __name__ == "__main__":
    sys.exit(
        run("eventstore", "ESKIT event store: append and read events over REST.", "eventstore_port", eventstore_app)
    )
