-- A page of the log, oldest first, from a range of positions (both inclusive): what the filter wants, as many events as the limits allow; each as JSON, with its position, and whether bytes were what ended the page.
-- How many fit is found on narrow rows first: whole events would be copied to add up their sizes.
WITH size AS MATERIALIZED (
    SELECT min(position) FILTER (WHERE before_bytes < %(most_bytes)s) AS low,
           max(position) FILTER (WHERE before_bytes < %(most_bytes)s) AS high,
           bool_or(before_bytes >= %(most_bytes)s) AS is_cut
      FROM (SELECT position, sum(bytes) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) - bytes AS before_bytes
              FROM (SELECT position, octet_length(payload) + octet_length(metadata) AS bytes
                      FROM events
                     WHERE position BETWEEN %(first)s AND %(last)s
                       AND is_wanted(entity_type, action, %(entity_type)s, %(everything)s, %(whole_types)s, %(actions)s, %(event_types)s)
                     ORDER BY position
                     LIMIT %(limit)s) AS wanted) AS sums)
SELECT event_json(position, event_id, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at),
       position, (SELECT is_cut FROM size)
  FROM events
 WHERE position BETWEEN (SELECT low FROM size) AND (SELECT high FROM size)
   AND is_wanted(entity_type, action, %(entity_type)s, %(everything)s, %(whole_types)s, %(actions)s, %(event_types)s)
 ORDER BY position
