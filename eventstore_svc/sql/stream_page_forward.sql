-- A page of one stream as JSON, oldest first: the first event in the range, then as many as the limits allow; beside it the stream's version.
SELECT string_agg(event_json(position, event_id, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at), ','),
       min(version), max(version),
       (SELECT version FROM events
         WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
         ORDER BY version DESC LIMIT 1)
  FROM (
    SELECT *, sum(octet_length(payload)) OVER (ORDER BY version ROWS UNBOUNDED PRECEDING) - octet_length(payload) AS before_bytes
      FROM events
     WHERE entity_type = %(entity_type)s AND originator_id = %(originator_id)s
       AND version BETWEEN %(from_version)s AND %(to_version)s
     ORDER BY version
     LIMIT %(limit)s) AS page
 WHERE before_bytes < %(most_bytes)s
