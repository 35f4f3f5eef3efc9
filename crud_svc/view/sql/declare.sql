-- An index was asked for.
INSERT INTO declared_indexes (entity_type, name, fields, relation)
VALUES (%(entity_type)s, %(name)s, %(fields)s, %(relation)s)
ON CONFLICT DO NOTHING
