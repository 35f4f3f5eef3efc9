-- Entities in the order of their type and id, after a place, and how far the view has come in each partition, as of the same moment.
SELECT (SELECT coalesce(json_object_agg(partition, coalesce(position, 0)), '{}')::text FROM eskit_progress
         WHERE consumer = %(consumer)s AND topic = %(topic)s),
       page.*
  FROM (VALUES (1)) AS one
  LEFT JOIN (
    SELECT entity_type, id, version, position, modified_at, deleted_at, body
      FROM (
        SELECT *, sum(octet_length(body)) OVER (ORDER BY entity_type, id ROWS UNBOUNDED PRECEDING) - octet_length(body) AS before_bytes
          FROM (
            SELECT entity_type, id, version, position, modified_at, deleted_at, body
              FROM entities
             WHERE (entity_type, id) > (%(after_type)s, %(after_id)s) AND entity_type <= %(last_type)s
             ORDER BY entity_type, id
             LIMIT %(limit)s) AS found) AS sized
     WHERE before_bytes < %(most_bytes)s) AS page ON true
 ORDER BY page.entity_type, page.id
