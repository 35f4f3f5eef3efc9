-- Streams after a place in the order of type and id, each found by one step down the index: the table is not walked.
WITH RECURSIVE places AS (
    (SELECT entity_type, originator_id FROM events
      WHERE (entity_type, originator_id) > (%(after_type)s, %(after_id)s)
      ORDER BY entity_type, originator_id, version
      LIMIT 1)
    UNION ALL
    SELECT next.entity_type, next.originator_id
      FROM places, LATERAL (
           SELECT entity_type, originator_id FROM events
            WHERE (entity_type, originator_id) > (places.entity_type, places.originator_id)
            ORDER BY entity_type, originator_id, version
            LIMIT 1) AS next
     WHERE %(only_type)s::text IS NULL OR places.entity_type = %(only_type)s
), found AS (
    SELECT entity_type, originator_id FROM places
     WHERE %(only_type)s::text IS NULL OR entity_type = %(only_type)s
     LIMIT %(limit)s
)
SELECT found.entity_type, found.originator_id, last.version, first.position, last.position, first.recorded_at, last.recorded_at
  FROM found,
       LATERAL (SELECT position, recorded_at FROM events
                 WHERE events.entity_type = found.entity_type AND events.originator_id = found.originator_id
                 ORDER BY version LIMIT 1) AS first,
       LATERAL (SELECT version, position, recorded_at FROM events
                 WHERE events.entity_type = found.entity_type AND events.originator_id = found.originator_id
                 ORDER BY version DESC LIMIT 1) AS last
