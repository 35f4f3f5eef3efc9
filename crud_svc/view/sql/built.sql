-- The indexes that were built because they were asked for, and whether each is whole: one that is not was broken off.
SELECT index.relname::text, kept.indisvalid
  FROM pg_index AS kept
  JOIN pg_class AS index ON index.oid = kept.indexrelid
 WHERE kept.indrelid = 'entities'::regclass AND starts_with(index.relname::text, %(prefix)s)
