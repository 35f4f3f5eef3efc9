-- What is in a schema, but for what is ours: tables (true) and views (false).
SELECT relname, relkind IN ('r', 'p')
  FROM pg_class
 WHERE relnamespace = to_regnamespace(%(schema)s) AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition
   AND relname NOT IN ('eskit_progress', 'eskit_drained')
 ORDER BY relname
