-- What outside of a schema is tied to its tables themselves, not to their names: a switch of schemas does not reach it.
SELECT format('view %%s', view.oid::regclass)
  FROM pg_depend AS tie
  JOIN pg_class AS used ON tie.refclassid = 'pg_class'::regclass AND used.oid = tie.refobjid
  JOIN pg_rewrite AS rule ON tie.classid = 'pg_rewrite'::regclass AND rule.oid = tie.objid
  JOIN pg_class AS view ON view.oid = rule.ev_class
 WHERE used.relnamespace = to_regnamespace(%(schema)s) AND view.relnamespace <> used.relnamespace
UNION
SELECT format('foreign key of %%s', other.oid::regclass)
  FROM pg_constraint AS tie
  JOIN pg_class AS used ON used.oid = tie.confrelid
  JOIN pg_class AS other ON other.oid = tie.conrelid
 WHERE used.relnamespace = to_regnamespace(%(schema)s) AND other.relnamespace <> used.relnamespace
UNION
SELECT format('publication %%I', publication.pubname)
  FROM pg_publication_rel AS tie
  JOIN pg_class AS used ON used.oid = tie.prrelid
  JOIN pg_publication AS publication ON publication.oid = tie.prpubid
 WHERE used.relnamespace = to_regnamespace(%(schema)s)
 ORDER BY 1
