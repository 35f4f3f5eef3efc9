-- The events of all streams of a type after a place (id, version), stream by stream; the first of them, then as many as their
-- bytes allow.
SELECT position, event_id::text, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at
  FROM (
    SELECT *, sum(octet_length(payload) + octet_length(metadata)) OVER (ORDER BY originator_id, version ROWS UNBOUNDED PRECEDING) - octet_length(payload) - octet_length(metadata) AS before_bytes
      FROM (SELECT * FROM events
             WHERE entity_type = %(entity_type)s AND (originator_id, version) > (%(after_id)s, %(after_version)s)
             ORDER BY originator_id, version
             LIMIT %(limit)s) AS next
     ) AS page
 WHERE before_bytes < %(most_bytes)s
 ORDER BY originator_id, version
