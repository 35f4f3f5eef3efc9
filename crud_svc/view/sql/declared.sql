-- The indexes that were asked for.
SELECT entity_type, fields, relation FROM declared_indexes ORDER BY entity_type, name
