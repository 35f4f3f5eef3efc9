-- The events of one stream, oldest first, from one version to another (both inclusive).
SELECT position, event_id::text, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at
  FROM events
 WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
   AND version BETWEEN %(from_version)s AND %(to_version)s
 ORDER BY version
 LIMIT %(limit)s
