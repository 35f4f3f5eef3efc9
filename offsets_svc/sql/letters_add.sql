-- Set records aside, as the owner of their partition. One that is here already stays as it is, but for a new failure.
-- The owner's row is locked, so that a newer claim waits until this is done, and then sees it.
WITH owner AS (
    SELECT FROM offsets
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s
       FOR SHARE
), given AS (
    SELECT given.*
      FROM unnest(%(offsets)s::bigint[], %(keys)s::text[], %(failed)s::boolean[], %(positions)s::bigint[],
                  %(event_types)s::text[], %(event_ids)s::text[], %(error_types)s::text[], %(errors)s::text[],
                  %(hashes)s::text[], %(attempts)s::integer[], %(values)s::bytea[], %(headers)s::bytea[])
           AS given (record_offset, key, failed, position, event_type, event_id, error_type, error, traceback_hash,
                     attempts, value, headers),
           owner
), waits AS (
    INSERT INTO parked AS kept (consumer, topic, partition, key, first_offset)
    SELECT %(consumer)s, %(topic)s, %(partition)s, key, min(record_offset) FROM given GROUP BY key ORDER BY key
    ON CONFLICT (consumer, topic, partition, key) DO UPDATE
       SET first_offset = excluded.first_offset
     WHERE kept.first_offset > excluded.first_offset
), stored AS (
    INSERT INTO letters AS kept (consumer, topic, partition, record_offset, key, failed, position, event_type, event_id,
                                 error_type, error, traceback_hash, attempts, value, headers)
    SELECT %(consumer)s, %(topic)s, %(partition)s, record_offset, key, failed, position, event_type, event_id, error_type,
           error, traceback_hash, attempts, value, headers
      FROM given
     ORDER BY record_offset
    ON CONFLICT (consumer, topic, partition, record_offset) DO UPDATE
       SET failed = true, error_type = excluded.error_type, error = excluded.error,
           traceback_hash = excluded.traceback_hash, attempts = excluded.attempts
     WHERE excluded.failed
)
SELECT count(*) FROM owner
