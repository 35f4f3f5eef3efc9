"""`python -m examples.users`: the service on a running stack (`make run`), on port 8010 unless told otherwise."""

from __future__ import annotations

import argparse

from aiohttp import web

from eskit import logs, settings
from examples.users.app import users_app


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m examples.users", description=__doc__)
    parser.add_argument("--port", type=int, default=8010, help="default: %(default)s")
    port = parser.parse_args().port
    config = settings.load()
    logs.configure(config, "users")
    print(f"users: http://127.0.0.1:{port}/users")
    web.run_app(users_app(config), host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main()
