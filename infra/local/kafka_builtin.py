"""librdkafka's built-in broker, in a process of its own: no Kafka at all, but enough of one to try things out.

Memory only, no transactions, no AdminClient.create_topics, and another port at every start.
Run as a program (python -m infra.local.kafka_builtin) it prints its address, then makes the topics that its standard
input names, one `name partitions` a line, and ends with its input.
"""

import ctypes
import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

from infra.local.broker import STOP_TIMEOUT_S, BrokerOptions, Kind, UnavailableError, answers
from infra.local.processes import Program, Server

START_TIMEOUT_S = 15.0
RD_KAFKA_PRODUCER = 0
ROOT = Path(__file__).parents[2]


class BuiltinKafka:
    """The process that holds the broker."""

    kind: Kind = "builtin"
    durable = False
    description = "librdkafka's built-in broker: memory only, everything in it is gone when it stops"

    def __init__(self, options: BrokerOptions) -> None:
        find_librdkafka()
        folder = options.data_dir / "builtin"
        folder.mkdir(parents=True, exist_ok=True)
        self._address = folder / "address"
        self._server = Server(folder / "kafka.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return self._address.read_text().strip()

    def alive(self) -> bool:
        return self._server.alive()

    def start(self) -> None:
        if self.alive():
            return
        self._close_input()
        self._address.unlink(missing_ok=True)
        program = Program((sys.executable, "-m", __spec__.name, str(self._address)), cwd=ROOT)
        self._process = self._server.launch(program, stdin=subprocess.PIPE)
        if not self._server.wait_until(self._answers, timeout_s=START_TIMEOUT_S):
            raise UnavailableError(f"it did not start:\n{self._server.last_words()}")

    def stop(self, *, grace_s: float = STOP_TIMEOUT_S) -> None:
        self._server.stop(signal.SIGTERM, grace_s=grace_s)
        self._close_input()

    def kill(self) -> None:
        self._server.kill()
        self._close_input()

    def remove(self) -> None:
        """Nothing is kept."""

    def create_topic(self, name: str, partitions: int) -> None:
        """Must come before the topic's first use, which would make it with four partitions."""
        if self._process is None or self._process.stdin is None:
            raise UnavailableError("it does not run")
        self._process.stdin.write(f"{name} {partitions}\n".encode())
        self._process.stdin.flush()

    def _answers(self) -> bool:
        return self._address.exists() and answers(self.bootstrap)

    def _close_input(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


def find_librdkafka() -> Path:
    """The shared library that came with the wheel of confluent-kafka."""
    spec = importlib.util.find_spec("confluent_kafka")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        for pattern in ("../confluent_kafka.libs/librdkafka*", ".dylibs/librdkafka*"):
            if found := sorted(package.glob(pattern)):
                return found[0]
    raise UnavailableError("this confluent-kafka was built without a librdkafka of its own")


def serve(address_file: Path) -> None:
    """Hold a broker until standard input ends."""
    library = ctypes.CDLL(str(find_librdkafka()))
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_topic_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    library.rd_kafka_mock_set_controller_id.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    handle = library.rd_kafka_new(RD_KAFKA_PRODUCER, None, None, 0)
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    # Its one broker has the number 1. Without a controller every admin call would wait for one until its time is up.
    library.rd_kafka_mock_set_controller_id(cluster, 1)
    # Like the real one here: a consumer group's first member does not wait three seconds for others.
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    unfinished = address_file.with_suffix(".unfinished")
    unfinished.write_text(library.rd_kafka_mock_cluster_bootstraps(cluster).decode())
    unfinished.rename(address_file)
    for line in sys.stdin:
        name, partitions = line.split()
        library.rd_kafka_mock_topic_create(cluster, name.encode(), int(partitions), 1)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
