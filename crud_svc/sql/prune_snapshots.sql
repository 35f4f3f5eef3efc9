-- Of these entities' snapshots the newest few stay, and of older ones one in so many versions; none of another format.
DELETE FROM snapshots AS pruned
 USING (SELECT entity_type, originator_id, version,
               row_number() OVER (PARTITION BY entity_type, originator_id ORDER BY version DESC) AS age,
               row_number() OVER (PARTITION BY entity_type, originator_id, version / %(every)s::integer ORDER BY version DESC) AS number
          FROM snapshots
         WHERE (entity_type, originator_id) IN (SELECT * FROM unnest(%(entity_types)s::text[], %(originator_ids)s::text[]))
           AND format = %(format)s) AS ranked
 WHERE pruned.entity_type = ranked.entity_type AND pruned.originator_id = ranked.originator_id
   AND pruned.version = ranked.version AND ranked.age > %(newest)s AND ranked.number > 1
