-- A member leaves: what is still its own is nobody's now. Rows are locked in the order in which claims lock them.
WITH gone AS (
    SELECT * FROM unnest(%(partitions)s::integer[], %(epochs)s::bigint[]) AS gone (partition, epoch)
), held AS MATERIALIZED (
    SELECT own.partition
      FROM offsets AS own
      JOIN gone ON gone.partition = own.partition AND gone.epoch = own.epoch
     WHERE own.consumer = %(consumer)s AND own.topic = %(topic)s AND own.member IS NOT NULL
     ORDER BY own.partition
       FOR NO KEY UPDATE OF own
)
UPDATE offsets AS own
   SET member = NULL
  FROM held
 WHERE own.consumer = %(consumer)s AND own.topic = %(topic)s AND own.partition = held.partition
RETURNING own.partition
