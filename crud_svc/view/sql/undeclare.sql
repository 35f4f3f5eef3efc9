-- An index is not wanted any more.
DELETE FROM declared_indexes WHERE entity_type = %(entity_type)s AND name = %(name)s
