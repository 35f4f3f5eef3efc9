-- Everything of a consumer, kept still until the transaction ends.
SELECT topic, partition, next_offset, position, epoch, member,
       updated_at > clock_timestamp() - interval '60 seconds' AS fresh
  FROM offsets
 WHERE consumer = %(consumer)s
 ORDER BY topic, partition
   FOR UPDATE
