-- Whether the tables are there.
SELECT to_regclass('entities') IS NOT NULL AND to_regclass('declared_indexes') IS NOT NULL
