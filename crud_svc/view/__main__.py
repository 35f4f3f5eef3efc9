"""`python -m crud_svc.view`: keeps the entity view."""

import sys

from crud_svc.view.process import view_app, work
from eskit.lifecycle import run

if __name__ == "__main__":
    sys.exit(run("view", "ESKIT entity view: keeps what lists and searches read.", "view_port", view_app, work))
