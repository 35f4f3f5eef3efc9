-- The partitions where a key waits, kept still until the transaction ends, before its letters are touched.
SELECT topic, partition
  FROM parked
 WHERE consumer = %(consumer)s AND key = %(key)s
   AND (%(topic)s::text IS NULL OR topic = %(topic)s)
   AND (%(partition)s::integer IS NULL OR partition = %(partition)s)
 ORDER BY topic, partition
   FOR UPDATE
