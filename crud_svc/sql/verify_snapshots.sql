-- Snapshots of one format in the order of verify_events, after a place, of versions that the log had at a position.
SELECT entity_type, originator_id, version, position, recorded_at, deleted_at, body
  FROM (
    SELECT *, sum(octet_length(coalesce(body, ''))) OVER (ORDER BY entity_type, originator_id, version ROWS UNBOUNDED PRECEDING) - octet_length(coalesce(body, '')) AS before_bytes
      FROM (
        SELECT entity_type, originator_id, version, position, recorded_at, deleted_at, body
          FROM snapshots
         WHERE (entity_type, originator_id, version) > (%(after_type)s::text, %(after_id)s::text, %(after_version)s::integer)
           AND entity_type <= %(last_type)s::text AND position <= %(position)s::bigint AND format = %(format)s
         ORDER BY entity_type, originator_id, version
         LIMIT %(limit)s) AS snapshots) AS page
 WHERE before_bytes < %(most_bytes)s
 ORDER BY entity_type, originator_id, version
