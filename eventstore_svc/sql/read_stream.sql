-- The events of one stream, oldest first, from one version to another (both inclusive); the first of them, then as many as their bytes allow.
SELECT position, event_id::text, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at
  FROM (
    SELECT *, sum(octet_length(payload) + octet_length(metadata)) OVER (ORDER BY version ROWS UNBOUNDED PRECEDING) - octet_length(payload) - octet_length(metadata) AS before_bytes
      FROM events
     WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
       AND version BETWEEN %(from_version)s AND %(to_version)s
     ORDER BY version
     LIMIT %(limit)s) AS page
 WHERE before_bytes < %(most_bytes)s
 ORDER BY version
