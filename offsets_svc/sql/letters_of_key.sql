-- The letters of one key in one partition, in order, those after an offset; with their records or without. With their
-- records, a page ends with the letter that makes it full.
SELECT topic, partition, record_offset, key, failed, position, event_type, event_id, error_type, error, traceback_hash,
       attempts, set_aside_at, CASE WHEN %(records)s THEN value END, CASE WHEN %(records)s THEN headers END
  FROM (SELECT found.*, sum(bytes) OVER (ORDER BY record_offset) - bytes AS before
          FROM (SELECT *, octet_length(headers) + coalesce(octet_length(value), 0) AS bytes
                  FROM letters
                 WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
                   AND record_offset > %(after_offset)s
                   AND (%(failed)s::boolean IS NULL OR failed = %(failed)s)
                 ORDER BY record_offset
                 LIMIT %(limit)s) AS found) AS counted
 WHERE NOT %(records)s OR before < %(bytes)s
 ORDER BY record_offset
