-- A stream's ends: version, positions and times of its first and its last event; no row for a stream that does not exist.
SELECT last.version, first.position, last.position, first.recorded_at, last.recorded_at
  FROM (SELECT position, recorded_at FROM events
         WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
         ORDER BY version LIMIT 1) AS first,
       (SELECT version, position, recorded_at FROM events
         WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
         ORDER BY version DESC LIMIT 1) AS last
