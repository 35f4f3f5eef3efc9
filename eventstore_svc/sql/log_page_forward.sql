-- A page of the log as JSON, oldest first, from a range of positions (both inclusive): what the filter wants, as much as the limits allow; beside it the log's last position.
SELECT string_agg(CASE WHEN %(labelled)s THEN 'id: ' || position || E'\ndata: ' ELSE '' END ||
                  event_json(position, event_id, entity_type, originator_id, version, action,
                             CASE WHEN %(one_line)s THEN one_line(payload) ELSE payload END,
                             CASE WHEN %(one_line)s THEN one_line(metadata) ELSE metadata END, occurred_on, recorded_at),
                  %(separator)s),
       count(*), min(position), max(position), sum(octet_length(payload)), (SELECT coalesce(max(position), 0) FROM events)
  FROM (
    SELECT *, sum(octet_length(payload)) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) - octet_length(payload) AS before_bytes
      FROM events
     WHERE position BETWEEN %(first)s AND %(last)s
       AND (%(entity_type)s::text IS NULL OR entity_type = %(entity_type)s)
       AND (%(everything)s
            OR EXISTS (SELECT FROM unnest(%(types)s::text[], %(actions)s::text[]) AS term (entity_type, action)
                        WHERE (term.entity_type IS NULL OR term.entity_type = events.entity_type)
                          AND (term.action IS NULL OR term.action = events.action)))
     ORDER BY position
     LIMIT %(limit)s) AS page
 WHERE before_bytes < %(most_bytes)s
