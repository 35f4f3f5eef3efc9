-- A page of the log, oldest first, of events that are looked up: by their id, or by what they correlate with. Each as JSON, with its position, and whether bytes end the page with it.
SELECT event_json(position, event_id, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at),
       position, before_bytes + octet_length(payload) + octet_length(metadata) >= %(most_bytes)s
  FROM (
    SELECT *, sum(octet_length(payload) + octet_length(metadata)) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) - octet_length(payload) - octet_length(metadata) AS before_bytes
      FROM ((SELECT * FROM events WHERE event_id = coalesce(%(event_id)s::uuid, %(correlates_with)s::uuid) ORDER BY position)
            UNION ALL
            (SELECT * FROM events
             WHERE %(event_id)s::uuid IS NULL AND "left"(correlation_of(metadata), 100) = "left"(%(correlation_id)s, 100) COLLATE "C"
               AND correlation_of(metadata) <> event_id::text
             ORDER BY position)) AS events
     WHERE position BETWEEN %(first)s AND %(last)s
       AND (%(correlation_id)s::text IS NULL OR correlation_of(metadata) = %(correlation_id)s)
       AND is_wanted(entity_type, action, %(entity_type)s, %(everything)s, %(whole_types)s, %(actions)s, %(event_types)s)
     ORDER BY position
     LIMIT %(limit)s) AS page
 WHERE before_bytes < %(most_bytes)s
 ORDER BY position
