-- A page of a list, and how far the view was as it was read. {{wanted}}, {{order}}, {{keys}}: pieces of crud_svc/view/statements.py.
WITH progress AS (
    SELECT coalesce(json_object_agg(partition, coalesce(position, 0)), '{{}}')::text AS reached
      FROM eskit_progress WHERE consumer = %(consumer)s AND topic = %(topic)s
), page AS (
    SELECT id, version, position, (extract(epoch FROM created_at) * 1000000)::bigint AS created_us,
           (extract(epoch FROM modified_at) * 1000000)::bigint AS modified_us, deleted_at,
           CASE WHEN %(with_body)s THEN body END AS body, ARRAY[{keys}]::text[] AS keys, row_number() OVER () AS nr,
           count(*) OVER () AS many, CASE WHEN %(with_body)s THEN
             sum(octet_length(body)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) END AS before_bytes
      FROM (SELECT * FROM entities WHERE {wanted} ORDER BY {order} LIMIT %(limit)s) AS found
)
SELECT progress.reached, page.id, page.version, page.position, page.created_us, page.modified_us, page.deleted_at,
       page.body, page.keys, page.many
  FROM progress LEFT JOIN page ON coalesce(page.before_bytes, 0) < %(most_bytes)s
 ORDER BY page.nr
