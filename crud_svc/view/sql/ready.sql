-- The indexes of a type that can be used, and those that are still to be built.
SELECT wanted.fields, coalesce(kept.indisvalid, false)
  FROM declared_indexes AS wanted
  LEFT JOIN pg_index AS kept ON kept.indexrelid = to_regclass(quote_ident(wanted.relation)) AND kept.indrelid = 'entities'::regclass
 WHERE wanted.entity_type = %(entity_type)s
 ORDER BY wanted.name
