-- The events with these ids, and how they were appended.
SELECT position, event_id::text, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at, append_size
  FROM events
 WHERE event_id = ANY (%(event_ids)s)
