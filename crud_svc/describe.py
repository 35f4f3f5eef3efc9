"""`python -m crud_svc.describe`: the service's OpenAPI document, for files and other programs."""

from __future__ import annotations

import argparse
import json
import sys

from crud_svc.app import DESCRIPTION, OPERATIONS
from eskit.web.openapi import describe


def text() -> str:
    """As /openapi.json answers it, in lines."""
    document = describe("ESKIT crud", DESCRIPTION, OPERATIONS)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Print it."""
    argparse.ArgumentParser(prog="python -m crud_svc.describe", description=__doc__).parse_args()
    sys.stdout.write(text())


if __name__ == "__main__":
    main()
