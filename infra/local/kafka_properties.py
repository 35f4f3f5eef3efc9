"""The broker's settings, from files/server.properties: as a file for the jars, as variables for the container."""

import base64
from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).parent / "files" / "server.properties"
# Any 16 bytes will do; a fixed one lets a data folder be formatted again without a new identity.
CLUSTER_ID = base64.urlsafe_b64encode(b"eskit-local-data").decode().rstrip("=")


def properties(*, host: str, port: int, controller_port: int, data: str) -> dict[str, str]:
    """The settings with the blanks filled in. `host` is the address to listen on; empty for all."""
    text = "\n".join(line for line in TEMPLATE.read_text().splitlines() if not line.startswith("#"))
    filled = Template(text).substitute(host=host, port=port, controller_port=controller_port, data=data)
    return dict(line.split("=", 1) for line in filled.splitlines() if line)


def as_file(settings: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    """As the image apache/kafka reads them: `log.dirs` is KAFKA_LOG_DIRS."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
