"""`python -m offsets_svc`: the offsets service."""

import sys

from eskit.lifecycle import run
from offsets_svc.app import offsets_app

if __name__ == "__main__":
    sys.exit(
        run(
            "offsets", "ESKIT offsets: who reads which partition, and how far it has come.", "offsets_port", offsets_app
        )
    )
