-- Of these entities' snapshots the newest few stay, and of older ones one in so many versions; none of another format.
-- What another instance is about to remove is left to it: waiting for each other's rows, both could wait for ever.
WITH ranked AS (
    SELECT entity_type, originator_id, version,
           row_number() OVER (PARTITION BY entity_type, originator_id ORDER BY version DESC) AS age,
           row_number() OVER (PARTITION BY entity_type, originator_id, version / %(every)s::integer ORDER BY version DESC) AS number
      FROM snapshots
     WHERE (entity_type, originator_id) IN (SELECT * FROM unnest(%(entity_types)s::text[], %(originator_ids)s::text[]))
       AND format = %(format)s),
surplus AS (
    SELECT entity_type, originator_id, version
      FROM snapshots JOIN ranked USING (entity_type, originator_id, version)
     WHERE age > %(newest)s AND number > 1
       FOR UPDATE OF snapshots SKIP LOCKED)
DELETE FROM snapshots AS pruned
 USING surplus
 WHERE pruned.entity_type = surplus.entity_type AND pruned.originator_id = surplus.originator_id
   AND pruned.version = surplus.version
