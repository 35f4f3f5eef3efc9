"""The local stack: python -m infra.local run | env | clean"""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Sequence

from eskit import settings
from eskit.errors import EskitError
from infra.local import compose, services
from infra.local.broker import BrokerOptions, UnavailableError
from infra.local.kafka_docker import DockerKafka
from infra.local.postgres import PostgresError, PostgresServer
from infra.local.postgres_binaries import NoPostgresError
from infra.local.run import Stack
from infra.local.services import WrongSettingError
from infra.local.state import AlreadyRunsError, State
from infra.local.supervisor import BrokenError

EXPECTED = (
    AlreadyRunsError,
    BrokenError,
    EskitError,
    NoPostgresError,
    PostgresError,
    UnavailableError,
    WrongSettingError,
)


VARIABLES = """\
variables:
  DATABASE_URL         use this PostgreSQL, start none
  KAFKA_BOOTSTRAP      use this Kafka, start none
  ESKIT_KAFKA          docker, maven or builtin: start this kind of Kafka or none
  ESKIT_POSTGRES_PORT  port of our PostgreSQL (15432, or any free one)
  ESKIT_KAFKA_PORT     port of our Kafka (19092, or any free one)
  ESKIT_*_PORT         ports of the services, see docs/reference/settings.md
"""


def run(_arguments: argparse.Namespace) -> int:
    """start PostgreSQL, Kafka and every service, and keep them running until Ctrl-C"""
    return Stack(State(), services.specs(settings.load()), os.environ).run()


def env(_arguments: argparse.Namespace) -> int:
    """print what other programs need to reach the running stack, as export lines"""
    state = State()
    last = state.read()
    values = last.environment if last.up and state.is_running() else compose.addresses()
    if not values:
        complain("no stack runs in this checkout: start one with `make run` or `docker compose up --wait`")
        return 1
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def clean(_arguments: argparse.Namespace) -> int:
    """delete the stack's data; refused while it runs"""
    state = State()
    if state.is_running():
        complain("the stack runs: stop it first")
        return 1
    if state.home.exists():
        if (state.home / "postgres").exists():
            PostgresServer(state.home / "postgres").remove()  # the data may lie elsewhere
        if (state.home / "kafka" / "docker").exists():
            remove_volume(state)
        shutil.rmtree(state.home)
    return 0


def remove_volume(state: State) -> None:
    try:
        DockerKafka(BrokerOptions(state.home / "kafka", 0, complain)).remove()
    except UnavailableError as error:
        complain(f"Kafka's data in a Docker volume stay: {error}")


def complain(line: str) -> None:
    print(line, file=sys.stderr)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description="The whole stack on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, env, clean):
        text, epilog = command.__doc__, VARIABLES if command is run else None
        formatter = argparse.RawDescriptionHelpFormatter
        added = commands.add_parser(
            command.__name__, help=text, description=text, epilog=epilog, formatter_class=formatter
        )
        added.set_defaults(command=command)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parse(arguments)
    try:
        return int(parsed.command(parsed))
    except EXPECTED as error:
        complain(f"eskit: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
