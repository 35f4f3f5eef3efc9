-- Letters in the order of topic, partition, offset, those after a place and up to a partition; with their records or
-- without. With their records, a page ends with the letter that makes it full.
SELECT topic, partition, record_offset, key, failed, position, event_type, event_id, error_type, error, traceback_hash,
       attempts, set_aside_at, CASE WHEN %(records)s THEN value END, CASE WHEN %(records)s THEN headers END
  FROM (SELECT found.*, sum(bytes) OVER (ORDER BY topic, partition, record_offset) - bytes AS before
          FROM (SELECT *, octet_length(headers) + coalesce(octet_length(value), 0) AS bytes
                  FROM letters
                 WHERE consumer = %(consumer)s
                   AND (topic, partition, record_offset) > (%(after_topic)s, %(after_partition)s, %(after_offset)s)
                   AND (topic, partition) <= (%(last_topic)s, %(last_partition)s)
                   AND (%(partition)s::integer IS NULL OR partition = %(partition)s)
                   AND (%(failed)s::boolean IS NULL OR failed = %(failed)s)
                 ORDER BY topic, partition, record_offset
                 LIMIT %(limit)s) AS found) AS counted
 WHERE NOT %(records)s OR before < %(bytes)s
 ORDER BY topic, partition, record_offset
