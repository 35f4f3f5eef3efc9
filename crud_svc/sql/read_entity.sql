-- An entity for its fold: the newest snapshot in a range of versions, and the events after it (without one: all of the
-- range), oldest first, as many as the limits allow. A snapshot has no action. One whose event the log does not have, as
-- after a restore of the log alone, does not count.
WITH snapshot AS MATERIALIZED (
    SELECT version, position, recorded_at, body, deleted_at
      FROM snapshots AS kept
     WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
       AND version BETWEEN %(from_version)s AND %(to_version)s AND format = %(format)s
       -- (As a value and not as a join: only the newest is looked up.)
       AND recorded_at = (SELECT last.recorded_at
                            FROM events AS last
                           WHERE last.position = kept.position AND last.version = kept.version
                             AND last.entity_type = kept.entity_type AND last.originator_id = kept.originator_id)
     ORDER BY version DESC
     LIMIT 1)
SELECT version, position, recorded_at, NULL AS action, body AS text, deleted_at FROM snapshot
UNION ALL
SELECT version, position, recorded_at, action, payload, 0
  FROM (
    SELECT *, sum(octet_length(payload)) OVER (ORDER BY version ROWS UNBOUNDED PRECEDING) - octet_length(payload) AS before_bytes
      FROM (
        SELECT version, position, recorded_at, action, payload
          FROM events
         WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
           AND version BETWEEN coalesce((SELECT version + 1 FROM snapshot), %(from_version)s) AND %(to_version)s
         ORDER BY version
         LIMIT %(limit)s) AS events) AS page
 WHERE before_bytes < %(most_bytes)s
 ORDER BY version
