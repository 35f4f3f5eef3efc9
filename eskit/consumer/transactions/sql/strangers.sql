-- Others whose view is in this schema, too.
SELECT DISTINCT consumer || ' (' || topic || ')'
  FROM eskit_progress
 WHERE (consumer, topic) <> (%(consumer)s, %(topic)s)
 ORDER BY 1
