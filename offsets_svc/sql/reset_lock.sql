-- The partitions of a consumer in a topic, kept still until the transaction ends; and whether somebody has them now.
SELECT partition, next_offset, position, epoch, member, updated_at > clock_timestamp() - interval '60 seconds' AS fresh
  FROM offsets
 WHERE consumer = %(consumer)s AND topic = %(topic)s
 ORDER BY partition
   FOR UPDATE
