-- Remove what is known to be on the topic, and remember where each partition ends; nothing when another relay has taken
-- the lease since. Where a partition ends at its start, in a term's first call, too.
WITH active AS (
    SELECT FROM relay_lease WHERE epoch = %(epoch)s
), trimmed AS (
    DELETE FROM outbox WHERE position <= %(published)s AND EXISTS (SELECT FROM active)
)
INSERT INTO relay_ends AS kept (partition, position, published)
SELECT given.nr - 1, given.position, %(published)s
  FROM unnest(%(ends)s::bigint[]) WITH ORDINALITY AS given (position, nr)
 WHERE EXISTS (SELECT FROM active)
ON CONFLICT (partition) DO UPDATE
   SET position = greatest(kept.position, excluded.position), published = greatest(kept.published, excluded.published)
