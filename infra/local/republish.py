"""Lets a log go on on another Kafka than its topic was on, as docs/howto/topic-and-log-disagree.md does by hand.

Only for a stack whose PostgreSQL and Kafka are both its own: nobody else's consumers read that topic.
"""

import sys
from collections.abc import Mapping

import psycopg
from psycopg import sql

from eskit import settings
from eskit.settings import Settings
from infra.local import processes
from infra.local.broker import KafkaBroker, delete_topic
from infra.local.processes import Program
from infra.local.supervisor import BrokenError
from infra.local.terminal import Speaker, say

TIMEOUT_S = 120.0

# The next epoch: a consumer that still runs must not save where it was in the old topic. 0 is that of who never claims.
RESET = """
UPDATE {} SET next_offset = NULL, position = NULL, epoch = CASE epoch WHEN 0 THEN 0 ELSE epoch + 1 END WHERE topic = %s
"""


def is_needed(broker: KafkaBroker, last_kind: str) -> bool:
    """Whether the topic of the last run is not on this broker."""
    return last_kind != "" and (last_kind != broker.kind or not broker.durable)


def publish_anew(broker: KafkaBroker, environment: Mapping[str, str]) -> None:
    """Put the whole log before the relay again, and the consumers before the topic's beginning."""
    say("Kafka is not the one of the last run: the whole log is published to it anew, consumers begin at the beginning")
    config = settings.load(environment)
    if broker.durable:
        delete_topic(broker.bootstrap, config.topic)  # of an earlier stay on this broker
    program = Program((sys.executable, "-m", "eventstore_svc.republish", "--yes"), env=environment)
    if processes.watch(program, Speaker("republish", 0), timeout_s=TIMEOUT_S) != 0:
        raise BrokenError("the log could not be put before the relay again")
    reset_offsets(config)


def reset_offsets(config: Settings) -> None:
    """Let the consumers of the log's topic begin anew."""
    offsets = sql.Identifier(config.schema("offsets"), "offsets")
    with psycopg.connect(config.database_url) as connection:
        connection.execute(sql.SQL(RESET).format(offsets), (config.topic,))
