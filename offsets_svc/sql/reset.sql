-- Set offsets; each partition gets a new epoch, so that whoever had it is refused from now on.
WITH wanted AS (
    SELECT *, nextval('epochs') AS epoch
      FROM unnest(%(partitions)s::integer[], %(offsets)s::bigint[]) AS wanted (partition, next_offset)
     ORDER BY partition
)
INSERT INTO offsets AS kept (consumer, topic, partition, epoch, next_offset, position, topic_id, reset_epoch)
SELECT %(consumer)s, %(topic)s, wanted.partition, wanted.epoch, wanted.next_offset, %(position)s, %(topic_id)s, wanted.epoch
  FROM wanted
ON CONFLICT (consumer, topic, partition) DO UPDATE
   SET epoch = excluded.epoch, reset_epoch = excluded.epoch, member = NULL, next_offset = excluded.next_offset,
       position = excluded.position, topic_id = excluded.topic_id, updated_at = clock_timestamp()
RETURNING partition, next_offset, position, epoch
