"""A Kafka that somebody else runs, named by KAFKA_BOOTSTRAP."""

from dataclasses import dataclass

from infra.local.broker import STOP_TIMEOUT_S, Kind, UnavailableError, answers, create_topic

ANSWER_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class GivenKafka:
    """We use it; we neither start nor stop it."""

    bootstrap: str
    kind: Kind = "given"
    durable: bool = True

    @property
    def description(self) -> str:
        return f"the one that KAFKA_BOOTSTRAP names, {self.bootstrap}"

    def start(self) -> None:
        if not answers(self.bootstrap, timeout_s=ANSWER_TIMEOUT_S):
            raise UnavailableError(f"no answer from {self.bootstrap} (KAFKA_BOOTSTRAP) in {ANSWER_TIMEOUT_S:.0f} s")

    def stop(self, *, grace_s: float = STOP_TIMEOUT_S) -> None:
        """Not ours to stop."""

    def kill(self) -> None:
        """Not ours to kill."""

    def remove(self) -> None:
        """Not ours to remove."""

    def alive(self) -> bool:
        return True

    def create_topic(self, name: str, partitions: int) -> None:
        create_topic(self.bootstrap, name, partitions)
