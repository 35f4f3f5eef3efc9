-- Whether a type of these has no count of its own, and could have one.
SELECT EXISTS (SELECT FROM unnest(%(entity_types)s::text[], %(event_types)s::text[]) AS given (entity_type, event_type)
                WHERE NOT EXISTS (SELECT FROM types AS t
                                   WHERE t.entity_type = given.entity_type AND t.event_type = given.event_type))
       AND (SELECT count(*) FROM types) < %(max_types)s
