-- The events of the log in a range of positions (both inclusive), in order, that any term of the selector wants; the first of them, then as many as their bytes allow.
SELECT position, event_id::text, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at
  FROM (
    SELECT *, sum(octet_length(payload) + octet_length(metadata)) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) - octet_length(payload) - octet_length(metadata) AS before_bytes
      FROM events
     WHERE position BETWEEN %(first)s AND %(last)s
       AND is_wanted(entity_type, action, NULL, %(everything)s, %(whole_types)s, %(actions)s, %(event_types)s)
     ORDER BY position
     LIMIT %(limit)s) AS page
 WHERE before_bytes < %(most_bytes)s
 ORDER BY position
