"""PostgreSQL and Kafka from testcontainers, offering what the local ones offer: ESKIT_TEST_INFRA=containers."""

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer

from infra.local.broker import STOP_TIMEOUT_S, Kind, UnavailableError, answers, create_topic
from infra.local.kafka_docker import CONTROLLER_PORT, IMAGE
from infra.local.kafka_properties import CLUSTER_ID, as_environment, properties
from infra.local.ports import free_port
from infra.local.processes import wait_for

POSTGRES_IMAGE = "postgres:17"
START_TIMEOUT_S = 60.0


class ContainerPostgres:
    """One server in a container, gone when it stops."""

    description = f"{POSTGRES_IMAGE} in a container"

    def __init__(self) -> None:
        self._container = PostgresContainer(POSTGRES_IMAGE, driver=None, dbname="postgres")

    @property
    def url(self) -> str:
        return str(self._container.get_connection_url())

    def url_of(self, database: str) -> str:
        return f"{self.url.rpartition('/')[0]}/{database}"

    def start(self) -> None:
        self._container.start()

    def stop(self) -> None:
        self._container.stop()


class ContainerKafka:
    """One broker in a container, gone when it stops."""

    kind: Kind = "docker"
    durable = True
    description = f"{IMAGE} in a container"

    def __init__(self) -> None:
        # A port chosen beforehand: the broker must know the address that its clients use.
        port = free_port()
        self._container = DockerContainer(IMAGE).with_bind_ports(port, port)
        self.bootstrap = f"{self._container.get_docker_client().host()}:{port}"
        settings = properties(host="", port=port, controller_port=CONTROLLER_PORT, data="/tmp/data")  # noqa: S108  in the container
        settings["advertised.listeners"] = f"PLAINTEXT://{self.bootstrap}"
        self._container.with_envs(CLUSTER_ID=CLUSTER_ID, KAFKA_HEAP_OPTS="-Xmx512m", **as_environment(settings))

    def alive(self) -> bool:
        return bool(self._container.status == "running")

    def start(self) -> None:
        self._container.start()
        if not wait_for(lambda: answers(self.bootstrap), timeout_s=START_TIMEOUT_S):
            said = self._container.get_logs()[0].decode()
            self._container.stop()
            raise UnavailableError(f"the container did not answer:\n{said[-2000:]}")

    def stop(self, *, grace_s: float = STOP_TIMEOUT_S) -> None:  # noqa: ARG002  the engine has its own
        self._container.stop()

    def kill(self) -> None:
        self._container.stop()

    def remove(self) -> None:
        """Gone with the container."""

    def create_topic(self, name: str, partitions: int) -> None:
        create_topic(self.bootstrap, name, partitions)
