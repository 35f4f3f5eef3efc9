-- The topics whose ends are watched.
SELECT topic FROM topics ORDER BY topic LIMIT %(limit)s
