-- How far a consumer has come in each partition.
SELECT partition, epoch, next_offset, position
  FROM eskit_progress
 WHERE consumer = %(consumer)s AND topic = %(topic)s
 ORDER BY partition
