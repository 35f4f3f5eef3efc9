-- The next events of the log, each as JSON, with what filters look at; the first of them, then as many as their bytes allow.
SELECT position, event_id::text, entity_type, action, correlation_of(metadata),
       event_json(position, event_id, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at)
  FROM (
    SELECT *, sum(octet_length(payload) + octet_length(metadata)) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) - octet_length(payload) - octet_length(metadata) AS before_bytes
      FROM events
     WHERE position > %(after)s
     ORDER BY position
     LIMIT %(limit)s) AS page
 WHERE before_bytes < %(most_bytes)s
 ORDER BY position
