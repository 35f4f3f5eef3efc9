"""`python -m consumers.metrics`: the metrics consumer."""

import sys

from consumers.metrics.app import metrics_app, work
from eskit.lifecycle import run

if __name__ == "__main__":
    sys.exit(run("metrics", "ESKIT metrics consumer: counts the log's events.", "metrics_port", metrics_app, work))
