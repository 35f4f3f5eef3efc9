"""Our services as the local stack runs them: their programs, their ports, the settings they are given."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from eskit.settings import Settings
from infra.local.service import ServiceSpec

# In the order of their start; what others need comes first.
PROGRAMS = {
    "offsets": "offsets_svc",
    "eventstore": "eventstore_svc",
    "relay": "eventstore_svc.relay",
    "crud": "crud_svc",
    "view": "crud_svc.view",
    "metrics": "consumers.metrics",
}
# A consumer leaves before what it consumes from, the relay after the last append.
STOP_ORDER = ("metrics", "view", "crud", "eventstore", "relay", "offsets")
PUBLIC = ("eventstore", "crud", "offsets", "metrics")


class WrongSettingError(Exception):
    """A variable holds what it cannot; the message names it."""


@dataclass(frozen=True)
class Addresses:
    """Where PostgreSQL and Kafka are."""

    database_url: str
    kafka_bootstrap: str


def specs(config: Settings) -> list[ServiceSpec]:
    """All services, on the ports that the settings give them."""
    found = []
    for name, module in PROGRAMS.items():
        variable, port = f"ESKIT_{name.upper()}_PORT", getattr(config, f"{name}_port")
        if port == 0:
            raise WrongSettingError(f"{variable} is 0: the local stack must know its ports beforehand")
        found.append(ServiceSpec(name, (sys.executable, "-m", module), port, variable))
    return found


def published(urls: Mapping[str, str], addresses: Addresses) -> dict[str, str]:
    """What other programs need: the lines of `make env`."""
    return {
        "DATABASE_URL": addresses.database_url,
        "KAFKA_BOOTSTRAP": addresses.kafka_bootstrap,
        **{f"ESKIT_{name.upper()}_URL": urls[name] for name in PUBLIC if name in urls},
    }


def urls(services: list[ServiceSpec]) -> dict[str, str]:
    return {spec.name: spec.url for spec in services}


def environment(services: list[ServiceSpec], addresses: Addresses, environ: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a service: what the user set wins over what we choose."""
    ours = {
        "ESKIT_HOST": "127.0.0.1",
        # The services write to a pipe; who reads it in the end decides.
        "ESKIT_LOG_FORMAT": "console" if sys.stdout.isatty() else "json",
        **{spec.port_variable: str(spec.port) for spec in services},
        **{name: value for name, value in published(urls(services), addresses).items() if name.startswith("ESKIT_")},
    }
    fixed = {
        "ESKIT_DATABASE_URL": addresses.database_url,
        "ESKIT_KAFKA_BOOTSTRAP": addresses.kafka_bootstrap,
        "PYTHONUNBUFFERED": "1",
    }
    return {**ours, **environ, **fixed}
