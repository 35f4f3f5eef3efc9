"""The real supervisor with stand-in services: standin_stack.py HOME NAME=PORT[,deaf] ..."""

import os
import sys
from pathlib import Path

from infra.local.__main__ import EXPECTED, complain
from infra.local.run import Stack
from infra.local.service import ServiceSpec
from infra.local.state import State

SERVICE = Path(__file__).with_name("standin_service.py")


def spec(argument: str) -> ServiceSpec:
    name, _, rest = argument.partition("=")
    port, *options = rest.split(",")
    argv = (sys.executable, str(SERVICE), port, name, *options)
    return ServiceSpec(name, argv, int(port), f"ESKIT_{name.upper()}_PORT")


def main() -> int:
    try:
        return Stack(State(Path(sys.argv[1])), [spec(argument) for argument in sys.argv[2:]], os.environ).run()
    except EXPECTED as error:
        complain(f"eskit: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
