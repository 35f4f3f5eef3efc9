-- The next events of the log, for the relay.
SELECT position, event_id::text, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at
  FROM events
 WHERE position > %(after)s
 ORDER BY position
 LIMIT %(limit)s
