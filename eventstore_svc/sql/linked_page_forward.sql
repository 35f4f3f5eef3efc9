-- A page of the log as JSON, oldest first, of events that are looked up by their id, or by what they correlate with; beside it the log's last position.
WITH wanted AS (
    SELECT position FROM events WHERE event_id = %(event_id)s
    UNION
    SELECT position FROM events
     WHERE %(event_id)s::uuid IS NULL AND "left"(correlation_of(metadata), 100) = "left"(%(correlation_id)s, 100) COLLATE "C"
       AND correlation_of(metadata) <> event_id::text
    UNION
    SELECT position FROM events WHERE %(event_id)s::uuid IS NULL AND event_id = %(correlates_with)s)
SELECT string_agg(CASE WHEN %(labelled)s THEN 'id: ' || position || E'\ndata: ' ELSE '' END ||
                  event_json(position, event_id, entity_type, originator_id, version, action,
                             CASE WHEN %(one_line)s THEN one_line(payload) ELSE payload END,
                             CASE WHEN %(one_line)s THEN one_line(metadata) ELSE metadata END, occurred_on, recorded_at),
                  %(separator)s),
       count(*), min(position), max(position), sum(octet_length(payload)), (SELECT coalesce(max(position), 0) FROM events)
  FROM (
    SELECT events.*, sum(octet_length(payload)) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) - octet_length(payload) AS before_bytes
      FROM events JOIN wanted USING (position)
     WHERE position BETWEEN %(first)s AND %(last)s
       AND (%(correlation_id)s::text IS NULL OR correlation_of(metadata) = %(correlation_id)s)
       AND (%(entity_type)s::text IS NULL OR entity_type = %(entity_type)s)
       AND (%(everything)s
            OR EXISTS (SELECT FROM unnest(%(types)s::text[], %(actions)s::text[]) AS term (entity_type, action)
                        WHERE (term.entity_type IS NULL OR term.entity_type = events.entity_type)
                          AND (term.action IS NULL OR term.action = events.action)))
     ORDER BY position
     LIMIT %(limit)s) AS page
 WHERE before_bytes < %(most_bytes)s
