-- The current version of a stream; no row for a stream that does not exist.
SELECT version
  FROM events
 WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
 ORDER BY version DESC
 LIMIT 1
