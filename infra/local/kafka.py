"""Finds a Kafka: a given one, in Docker, from Maven Central, librdkafka's built-in one; the first that works."""

from collections.abc import Callable, Iterator

from infra.local.broker import BrokerOptions, KafkaBroker, UnavailableError
from infra.local.kafka_builtin import BuiltinKafka
from infra.local.kafka_docker import DockerKafka
from infra.local.kafka_given import GivenKafka
from infra.local.kafka_maven import MavenKafka

__all__ = ["BrokerOptions", "KafkaBroker", "UnavailableError", "likely_broker", "start_broker"]

# Best first: a real Kafka before a pretended one, and the one without a download before the one with.
LADDER: dict[str, Callable[[BrokerOptions], KafkaBroker]] = {
    "docker": DockerKafka,
    "maven": MavenKafka,
    "builtin": BuiltinKafka,
}


def start_broker(options: BrokerOptions, *, given: str = "", forced: str = "") -> KafkaBroker:
    """Start the first kind of broker that works, say why the others did not, and return it.

    `given` is the address of somebody else's (KAFKA_BOOTSTRAP), `forced` the one kind that is wanted (ESKIT_KAFKA).
    UnavailableError when nothing works.
    """
    reasons: list[str] = []
    for broker in _candidates(options, given, forced, reasons.append):
        try:
            broker.start()
        except UnavailableError as error:
            reasons.append(f"not {broker.kind}: {error}")
            options.say(f"Kafka: {reasons[-1]}")
        except BaseException:
            broker.kill()  # a Ctrl-C while it starts
            raise
        else:
            options.say(f"Kafka: {broker.description}")
            return broker
    raise UnavailableError("; ".join(["no Kafka can be had", *reasons]))


def likely_broker(options: BrokerOptions, *, given: str = "", forced: str = "") -> KafkaBroker:
    """The first kind that this machine has what it needs for, not started: that may still turn out otherwise."""
    return next(_candidates(options, given, forced, lambda _reason: None))


def _candidates(
    options: BrokerOptions, given: str, forced: str, refuse: Callable[[str], None]
) -> Iterator[KafkaBroker]:
    if given:
        yield GivenKafka(given)
        return
    if forced and forced not in LADDER:
        raise UnavailableError(f"ESKIT_KAFKA is {forced!r}; it can be {', '.join(LADDER)}")
    for kind, make in LADDER.items():
        if forced in {"", kind}:
            try:
                broker = make(options)
            except UnavailableError as error:
                options.say(f"Kafka: not {kind}: {error}")
                refuse(f"not {kind}: {error}")
            else:
                yield broker
