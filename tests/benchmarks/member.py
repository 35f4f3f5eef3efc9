"""A member of a consumer that does nothing, to be killed."""

from __future__ import annotations

import os
import sys

from eskit.consumer import Consumer, Event, serve

member = Consumer(os.environ.get("NAME", "member"), session_timeout_s=6.0)


@member.on()
async def nothing(event: Event) -> None:
    """Handle nothing."""
    del event


if __name__ == "__main__":
    sys.exit(serve(member))
