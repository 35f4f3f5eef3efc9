-- All that a filter wants in a range of positions (both inclusive), as lines; NULL, and false, where that is too much at once.
WITH size AS (
    SELECT coalesce(sum(octet_length(payload)), 0) < %(most_bytes)s AS fits
      FROM events
     WHERE position BETWEEN %(first)s AND %(last)s)
SELECT fits,
       CASE WHEN fits THEN (
           SELECT string_agg(event_json(position, event_id, entity_type, originator_id, version, action, one_line(payload),
                                        one_line(metadata), occurred_on, recorded_at), E'\n')
             FROM (SELECT *
                     FROM events
                    WHERE position BETWEEN %(first)s AND %(last)s
                      AND (%(entity_type)s::text IS NULL OR entity_type = %(entity_type)s)
                      AND (%(everything)s
                           OR EXISTS (SELECT FROM unnest(%(types)s::text[], %(actions)s::text[]) AS term (entity_type, action)
                                       WHERE (term.entity_type IS NULL OR term.entity_type = events.entity_type)
                                         AND (term.action IS NULL OR term.action = events.action)))
                    ORDER BY position) AS page)
       END
  FROM size
