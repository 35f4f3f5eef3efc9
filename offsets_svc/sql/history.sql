-- How the offsets of a consumer have moved, oldest first.
SELECT partition, at, next_offset, position
  FROM commit_history
 WHERE consumer = %(consumer)s AND topic = %(topic)s AND at >= %(since)s
   AND (%(partition)s::integer IS NULL OR partition = %(partition)s)
 ORDER BY at, partition
 LIMIT %(limit)s
