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

# A new epoch: a consumer that still runs must not save where it was in the old topic. 0 is that of who never claims.
# What was set aside comes again.
RESET = (
    """
    UPDATE {schema}.offsets
       SET next_offset = NULL, position = NULL, topic_id = NULL,
           epoch = CASE epoch WHEN 0 THEN 0 ELSE nextval({epochs}) END, reset_epoch = nextval({epochs})
     WHERE topic = %s
    """,
    "DELETE FROM {schema}.letters WHERE topic = %s",
    "DELETE FROM {schema}.parked WHERE topic = %s",
)


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
    schema = config.schema("offsets")
    names = {"schema": sql.Identifier(schema), "epochs": sql.Literal(f'"{schema}".epochs')}
    with psycopg.connect(config.database_url) as connection:
        for statement in RESET:
            connection.execute(sql.SQL(statement).format(**names), (config.topic,))
