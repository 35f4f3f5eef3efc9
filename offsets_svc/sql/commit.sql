-- Commit offsets; answers each partition as it stands afterwards, from which the caller sees what was refused.
-- A commit is taken when its epoch is the partition's (0: never claimed) and neither offset nor position goes back. The rule
-- stands in the update itself, because only there the row is locked and new: a snapshot might be older than a claim.
-- A commit with an epoch makes no row: who has claimed has one. Rows are locked in the order of their partitions.
WITH given AS (
    SELECT *
      FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[], %(positions)s::bigint[],
                  %(epochs)s::bigint[]) AS given (topic, partition, next_offset, position, epoch)
), made AS (
    INSERT INTO consumers (name) SELECT %(consumer)s WHERE EXISTS (SELECT FROM given WHERE epoch = 0)
    ON CONFLICT (name) DO NOTHING
), seen AS (
    -- Once a second at most: otherwise the commits of all members would queue for this one row.
    UPDATE consumers SET last_seen = clock_timestamp()
     WHERE name = %(consumer)s AND last_seen < clock_timestamp() - interval '1 second'
)
INSERT INTO offsets AS kept (consumer, topic, partition, next_offset, position, epoch)
SELECT %(consumer)s, given.topic, given.partition, given.next_offset, given.position, given.epoch
  FROM given
 WHERE given.epoch = 0
    OR EXISTS (SELECT FROM offsets AS own
                WHERE own.consumer = %(consumer)s AND own.topic = given.topic AND own.partition = given.partition)
 ORDER BY given.topic COLLATE "C", given.partition
ON CONFLICT (consumer, topic, partition) DO UPDATE
   SET (next_offset, position, updated_at) = (
       SELECT CASE WHEN taken THEN excluded.next_offset ELSE kept.next_offset END,
              CASE WHEN taken THEN coalesce(excluded.position, kept.position) ELSE kept.position END,
              CASE WHEN taken THEN clock_timestamp() ELSE kept.updated_at END
         FROM (SELECT kept.epoch = excluded.epoch
                      AND excluded.next_offset >= coalesce(kept.next_offset, 0)
                      AND coalesce(excluded.position >= kept.position, true)) AS rule (taken))
RETURNING topic, partition, next_offset, position, epoch
