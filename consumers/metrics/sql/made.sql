-- Whether the tables are there.
SELECT to_regclass('partitions') IS NOT NULL AND to_regclass('types') IS NOT NULL AND to_regclass('counts') IS NOT NULL
