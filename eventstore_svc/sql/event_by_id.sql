-- One event as JSON.
SELECT event_json(position, event_id, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at)
  FROM events
 WHERE event_id = %(event_id)s
