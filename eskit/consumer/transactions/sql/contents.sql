-- What a table holds, whatever the order of its rows and of its columns: so many rows, and two sums of their hashes.
SELECT count(*),
       coalesce(sum(hashtextextended(content::text, 0)::numeric), 0),
       coalesce(sum(hashtextextended(content::text, 1)::numeric), 0)
  FROM (SELECT to_jsonb(kept) - %(without)s::text[] AS content FROM {table} AS kept OFFSET 0) AS contents
