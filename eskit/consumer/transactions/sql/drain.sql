-- One event that was set aside has its effect now: no row, if it had it before.
INSERT INTO eskit_drained (consumer, topic, partition, record_offset)
VALUES (%(consumer)s, %(topic)s, %(partition)s, %(record_offset)s)
ON CONFLICT DO NOTHING
RETURNING record_offset
