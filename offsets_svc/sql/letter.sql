-- One letter with its record.
SELECT topic, partition, record_offset, key, failed, position, event_type, event_id, error_type, error, traceback_hash,
       attempts, set_aside_at, value, headers
  FROM letters
 WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND record_offset = %(offset)s
