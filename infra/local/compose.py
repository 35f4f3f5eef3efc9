"""The stack of docker-compose.yml, seen from this machine: does it run, and how is it reached."""

import json
import shutil
from typing import Any

from infra.local.kafka_docker import docker
from infra.local.services import Addresses, published


def addresses() -> dict[str, str]:
    """What other programs need to reach the running stack; empty when it does not run."""
    if shutil.which("docker") is None:
        return {}
    running = docker("compose", "ps", "--services", "--status", "running").stdout.split()
    if "postgres" not in running or "eventstore" not in running:
        return {}
    config = json.loads(docker("compose", "config", "--format", "json").stdout)["services"]
    inside = config["migrate"]["environment"]["ESKIT_DATABASE_URL"]
    database_url = inside.replace("@postgres:5432/", f"@{_outside(config['postgres'])}/")
    urls = {
        name: f"http://{_outside(service)}"
        for name, service in config.items()
        if name in running and "ports" in service
    }
    return published(urls, Addresses(database_url, _outside(config["kafka"])))


def _outside(service: dict[str, Any]) -> str:
    """Where a service's first port is found on this machine."""
    port = service["ports"][0]
    return f"{port['host_ip']}:{port['published']}"
