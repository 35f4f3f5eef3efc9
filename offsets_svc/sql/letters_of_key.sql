-- The letters of one key, in order, those after an offset; with their records or without.
SELECT topic, partition, record_offset, key, failed, position, event_type, event_id, error_type, error, traceback_hash,
       attempts, set_aside_at, CASE WHEN %(records)s THEN value END, CASE WHEN %(records)s THEN headers END
  FROM letters
 WHERE consumer = %(consumer)s AND key = %(key)s
   AND (topic, partition, record_offset) > (%(after_topic)s, %(after_partition)s, %(after_offset)s)
   AND (topic, partition) IN (SELECT topic, partition FROM parked
                               WHERE parked.consumer = %(consumer)s AND parked.key = %(key)s
                                 AND (%(topic)s::text IS NULL OR topic = %(topic)s)
                                 AND (%(partition)s::integer IS NULL OR partition = %(partition)s))
   AND (%(failed)s::boolean IS NULL OR failed = %(failed)s)
 ORDER BY topic, partition, record_offset
 LIMIT %(limit)s
