-- A member leaves: what is still its own is nobody's now.
WITH gone AS (
    SELECT * FROM unnest(%(partitions)s::integer[], %(epochs)s::bigint[]) AS gone (partition, epoch)
)
UPDATE offsets AS kept
   SET member = NULL
  FROM gone
 WHERE kept.consumer = %(consumer)s AND kept.topic = %(topic)s AND kept.partition = gone.partition
   AND kept.epoch = gone.epoch
RETURNING kept.partition
