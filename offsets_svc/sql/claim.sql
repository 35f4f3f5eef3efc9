-- Claim partitions: each gets a new epoch, so that a commit of whoever claimed it before is refused from now on.
-- Rows are locked in the order of their partitions, then the consumer's: two claims cannot wait for each other.
-- Where the offset of one partition counts in another life of the topic, none is claimed, and none is answered.
WITH held AS MATERIALIZED (
    SELECT topic_id
      FROM offsets
     WHERE consumer = %(consumer)s AND topic = %(topic)s
     ORDER BY partition
       FOR NO KEY UPDATE
), seen AS (
    INSERT INTO consumers (name) VALUES (%(consumer)s)
    ON CONFLICT (name) DO UPDATE SET last_seen = clock_timestamp()
), watched AS (
    INSERT INTO topics (topic) VALUES (%(topic)s) ON CONFLICT DO NOTHING
)
INSERT INTO offsets AS kept (consumer, topic, partition, epoch, member, topic_id)
SELECT %(consumer)s, %(topic)s, wanted.partition, nextval('epochs'), %(member)s, %(topic_id)s
  FROM unnest(%(partitions)s::integer[]) AS wanted (partition)
 WHERE NOT EXISTS (SELECT FROM held WHERE topic_id <> %(topic_id)s)
 ORDER BY wanted.partition
ON CONFLICT (consumer, topic, partition) DO UPDATE
   -- Not excluded.epoch: that was taken before the row was locked, it may be older than the one that stands there.
   SET epoch = nextval('epochs'), member = excluded.member, updated_at = clock_timestamp(),
       topic_id = coalesce(kept.topic_id, excluded.topic_id)
 WHERE kept.topic_id IS NULL OR excluded.topic_id IS NULL OR kept.topic_id = excluded.topic_id
RETURNING partition, epoch, next_offset, position, reset_epoch
