-- A page of one stream, oldest first: the first event in the range of versions, then as many as the limits allow; each as JSON, with its version, and the stream's version.
-- How many fit is found on narrow rows first: whole events would be copied to add up their sizes.
WITH size AS MATERIALIZED (
    SELECT min(version) AS low, max(version) AS high
      FROM (SELECT version, sum(bytes) OVER (ORDER BY version ROWS UNBOUNDED PRECEDING) - bytes AS before_bytes
              FROM (SELECT version, octet_length(payload) + octet_length(metadata) AS bytes
                      FROM events
                     WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
                       AND version BETWEEN %(from_version)s AND %(to_version)s
                     ORDER BY version
                     LIMIT %(limit)s) AS wanted) AS sums
     WHERE before_bytes < %(most_bytes)s)
SELECT event_json(position, event_id, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at),
       version,
       (SELECT version FROM events
         WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
         ORDER BY version DESC LIMIT 1) AS latest
  FROM events
 WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
   AND version BETWEEN (SELECT low FROM size) AND (SELECT high FROM size)
 ORDER BY version
