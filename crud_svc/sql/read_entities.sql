-- Several entities for their folds, each as read_entity has it, numbered as they were asked for; of all of them together as
-- many rows as their bytes allow.
SELECT n, version, position, recorded_at, action, text, deleted_at
  FROM (
    SELECT *, sum(octet_length(coalesce(text, ''))) OVER (ORDER BY n, version ROWS UNBOUNDED PRECEDING) - octet_length(coalesce(text, '')) AS before_bytes
      FROM unnest(%(entity_types)s::text[], %(originator_ids)s::text[]) WITH ORDINALITY AS wanted (entity_type, originator_id, n)
     CROSS JOIN LATERAL (
        WITH snapshot AS MATERIALIZED (
            SELECT version, position, recorded_at, body, deleted_at
              FROM snapshots AS kept
             WHERE entity_type = wanted.entity_type AND originator_id = wanted.originator_id AND format = %(format)s
               AND recorded_at = (SELECT last.recorded_at
                                    FROM events AS last
                                   WHERE last.position = kept.position AND last.version = kept.version
                                     AND last.entity_type = kept.entity_type AND last.originator_id = kept.originator_id)
             ORDER BY version DESC
             LIMIT 1)
        SELECT version, position, recorded_at, NULL AS action, body AS text, deleted_at FROM snapshot
        UNION ALL
        (SELECT version, position, recorded_at, action, payload, 0
           FROM events
          WHERE entity_type = wanted.entity_type AND originator_id = wanted.originator_id
            AND version > coalesce((SELECT version FROM snapshot), 0)
          ORDER BY version
          LIMIT %(limit)s)) AS rows) AS sized
 WHERE before_bytes < %(most_bytes)s
 ORDER BY n, version
