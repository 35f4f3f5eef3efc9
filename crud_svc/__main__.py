"""`python -m crud_svc`: the CRUD service."""

import sys

from crud_svc.app import crud_app
from eskit.lifecycle import run

if __name__ == "__main__":
    sys.exit(run("crud", "ESKIT CRUD service: JSON objects with full history over REST.", "crud_port", crud_app))
