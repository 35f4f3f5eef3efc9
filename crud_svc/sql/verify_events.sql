-- Events stream by stream, after a place (entity type, id, version), as the log was at a position; as many as the limits allow.
SELECT entity_type, originator_id, version, position, recorded_at, action, payload
  FROM (
    SELECT *, sum(octet_length(payload)) OVER (ORDER BY entity_type, originator_id, version ROWS UNBOUNDED PRECEDING) - octet_length(payload) AS before_bytes
      FROM (
        SELECT entity_type, originator_id, version, position, recorded_at, action, payload
          FROM events
         WHERE (entity_type, originator_id, version) > (%(after_type)s::text, %(after_id)s::text, %(after_version)s::integer)
           AND entity_type <= %(last_type)s::text AND position <= %(position)s::bigint
         ORDER BY entity_type, originator_id, version
         LIMIT %(limit)s) AS events) AS page
 WHERE before_bytes < %(most_bytes)s
 ORDER BY entity_type, originator_id, version
