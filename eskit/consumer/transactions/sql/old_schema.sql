-- A name for a schema that is kept: with the date, and a number from the second of a day on.
SELECT name
  FROM (SELECT 1 AS nr, left(%(schema)s::text, 45) || to_char(current_date, '"_old_"YYYYMMDD') AS name
        UNION ALL
        SELECT nr, left(%(schema)s::text, 45) || to_char(current_date, '"_old_"YYYYMMDD_') || nr
          FROM generate_series(2, 99) AS nr) AS names
 WHERE to_regnamespace(name) IS NULL
 ORDER BY nr
 LIMIT 1
