"""`python -m eventstore_svc.relay`: publishes the log to Kafka."""

import sys

from eskit.lifecycle import run
from eventstore_svc.relay.app import relay_app, work

if __name__ == "__main__":
    sys.exit(run("relay", "ESKIT relay: publishes the log to its Kafka topic.", "relay_port", relay_app, work))
