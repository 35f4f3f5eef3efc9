-- Add a batch of one partition. A type without a count of its own is counted with all others of that kind.
WITH moved AS (
    INSERT INTO partitions (partition, last_position)
    VALUES (%(partition)s, %(last_position)s)
    ON CONFLICT (partition) DO UPDATE SET last_position = excluded.last_position
)
INSERT INTO counts AS kept (partition, entity_type, event_type, events, crud)
SELECT %(partition)s, coalesce(t.entity_type, %(other)s), coalesce(t.event_type, %(other)s),
       sum(given.events), coalesce(sum(given.events) FILTER (WHERE given.crud), 0)
  FROM unnest(%(entity_types)s::text[], %(event_types)s::text[], %(events)s::bigint[], %(crud)s::boolean[])
       AS given (entity_type, event_type, events, crud)
  LEFT JOIN types AS t ON t.entity_type = given.entity_type AND t.event_type = given.event_type
 GROUP BY 2, 3
ON CONFLICT (partition, entity_type, event_type) DO UPDATE
   SET events = kept.events + excluded.events, crud = kept.crud + excluded.crud
