-- Where the log ends, as of one moment: its head, the partitions of its topic, the last position that is on the topic in
-- each, and what may still be on its way. No more of that than a limit: who is so far behind need not know it all.
WITH waiting AS (
    SELECT position, originator_id
      FROM events
     WHERE position IN (SELECT position FROM outbox
                         WHERE position > (SELECT coalesce(max(published), 0) FROM relay_ends)
                         ORDER BY position
                         LIMIT %(most)s)
)
SELECT (SELECT coalesce(max(position), 0) FROM events) AS head,
       (SELECT partitions FROM relay_topic),
       (SELECT array_agg(position ORDER BY partition) FROM relay_ends),
       (SELECT array_agg(position ORDER BY position) FROM waiting),
       (SELECT json_agg(originator_id ORDER BY position)::text FROM waiting)
