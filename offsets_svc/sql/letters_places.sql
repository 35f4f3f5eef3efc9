-- The partitions where a key waits, those at a place or after it.
SELECT topic, partition
  FROM parked
 WHERE consumer = %(consumer)s AND key = %(key)s
   AND (topic, partition) >= (%(after_topic)s, %(after_partition)s)
   AND (topic, partition) <= (%(last_topic)s, %(last_partition)s)
   AND (%(partition)s::integer IS NULL OR partition = %(partition)s)
 ORDER BY topic, partition
