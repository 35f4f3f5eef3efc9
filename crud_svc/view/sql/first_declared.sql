-- The same of another schema, the first view's, where that is another one and has them.
SELECT format('SELECT entity_type, fields, relation FROM %%I.declared_indexes', %(schema)s::text)
 WHERE to_regclass(format('%%I.declared_indexes', %(schema)s::text)) IS NOT NULL
   AND %(schema)s::text <> current_schema()
