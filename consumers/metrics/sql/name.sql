-- Give types counts of their own, in the order of their first event, as long as there are some left.
INSERT INTO types (entity_type, event_type)
SELECT given.entity_type, given.event_type
  FROM unnest(%(entity_types)s::text[], %(event_types)s::text[]) WITH ORDINALITY AS given (entity_type, event_type, nr)
 WHERE NOT EXISTS (SELECT FROM types AS t
                    WHERE t.entity_type = given.entity_type AND t.event_type = given.event_type)
 ORDER BY given.nr
 LIMIT greatest(0, %(max_types)s - (SELECT count(*) FROM types))
