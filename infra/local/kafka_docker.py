"""The official image apache/kafka on a Docker engine that runs on this machine."""

import hashlib
import os
import shutil
import subprocess

from infra.local.broker import STOP_TIMEOUT_S, BrokerOptions, Kind, UnavailableError, answers, create_topic
from infra.local.kafka_properties import CLUSTER_ID, as_environment, properties
from infra.local.ports import LOOPBACK
from infra.local.processes import Program, Say, Server, wait_for, watch

IMAGE = "apache/kafka:4.1.1"
ENGINE_TIMEOUT_S = 10.0
PULL_TIMEOUT_S = 300.0
START_TIMEOUT_S = 60.0
CONTROLLER_PORT = 9093
DATA = "/var/lib/kafka/data"


class DockerKafka:
    """One container, published on the loopback address only; its data lie in a Docker volume.

    A volume and not a folder of ours: the image runs as a user of its own, and only a volume is that user's to write to
    on every engine (rootless, Docker Desktop, SELinux).
    """

    kind: Kind = "docker"
    durable = True
    description = f"{IMAGE} in Docker"

    def __init__(self, options: BrokerOptions) -> None:
        self._options = options
        ask_engine()
        folder = (options.data_dir / "docker").absolute()
        self._is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        # The name follows from the folder: a container that outlived its supervisor is found and removed.
        self._name = f"eskit-kafka-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
        self._server = Server(folder / "kafka.log")

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self._options.port}"

    def alive(self) -> bool:
        return self._server.alive()

    def start(self) -> None:
        if self.alive():
            return
        pull(self._options.say)
        if self._is_new:
            self.remove()  # a folder that is new has no data: a volume of its name is of one that was deleted
            self._is_new = False
        self._clear()
        self._server.launch(Program(("docker", "run", *self._run_options(), IMAGE)))
        if not self._server.wait_until(lambda: answers(self.bootstrap), timeout_s=START_TIMEOUT_S):
            docker("rm", "--force", "--volumes", self._name)
            raise UnavailableError(f"the container did not start:\n{self._server.last_words()}")

    def stop(self, *, grace_s: float = STOP_TIMEOUT_S) -> None:
        docker("stop", "--time", str(round(grace_s)), self._name, timeout_s=grace_s + ENGINE_TIMEOUT_S)
        self._server.kill()  # the client that was attached to it; nothing to do where it has ended

    def kill(self) -> None:
        docker("kill", self._name)
        self._server.kill()

    def remove(self) -> None:
        self._clear()
        docker("volume", "rm", "--force", self._name)

    def _clear(self) -> None:
        """See to it that no container has our name: the engine removes an ended one in its own time."""
        docker("rm", "--force", "--volumes", self._name)
        wait_for(lambda: docker("container", "inspect", self._name).returncode != 0, timeout_s=ENGINE_TIMEOUT_S)

    def create_topic(self, name: str, partitions: int) -> None:
        create_topic(self.bootstrap, name, partitions)

    def _run_options(self) -> list[str]:
        port = self._options.port
        # Inside and outside the port is the same, so the one advertised address is true in both places.
        settings = properties(host="", port=port, controller_port=CONTROLLER_PORT, data=DATA)
        variables = {**as_environment(settings), "CLUSTER_ID": CLUSTER_ID, "KAFKA_HEAP_OPTS": "-Xmx512m"}
        if self._options.quick:
            variables["KAFKA_OPTS"] = "-XX:TieredStopAtLevel=1"
        environment = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        network = ["--publish", f"{LOOPBACK}:{port}:{port}"]
        return ["--rm", "--name", self._name, *network, "--volume", f"{self._name}:{DATA}", *environment]


def docker(*arguments: str, timeout_s: float = ENGINE_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run one command of the Docker client and return what it said; it may have failed."""
    command = ["docker", *arguments]
    try:
        # In a session of its own: a Ctrl-C on the terminal must not cut short the stop of a container.
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=timeout_s, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"docker {arguments[0]} did not answer in {timeout_s:.0f} s")


def ask_engine() -> None:
    """UnavailableError when there is no engine on this machine."""
    if shutil.which("docker") is None:
        raise UnavailableError("Docker is not installed")
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        raise UnavailableError("Docker's engine is on another machine (DOCKER_HOST)")
    asked = docker("info", "--format", "{{.ServerVersion}}")
    if asked.returncode != 0:
        raise UnavailableError(f"no Docker engine runs ({_last_line(asked.stderr)})")


def pull(say: Say) -> None:
    """See to it that the image is there; Docker's own progress goes to the terminal."""
    if docker("image", "inspect", IMAGE).returncode == 0:
        return
    say(f"Kafka: pulling {IMAGE} (about 200 MB, once; at most {PULL_TIMEOUT_S:.0f} s)")
    said: list[str] = []

    def heard(line: str) -> None:
        said.append(line)
        if "complete" in line.lower():
            say(f"Kafka: {line}")

    try:
        code = watch(Program(("docker", "pull", IMAGE)), heard, timeout_s=PULL_TIMEOUT_S)
    except TimeoutError:
        raise UnavailableError(f"{IMAGE} was not pulled in {PULL_TIMEOUT_S:.0f} s") from None
    if code != 0:
        raise UnavailableError(f"{IMAGE} cannot be pulled ({_last_line(chr(10).join(said))})")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
