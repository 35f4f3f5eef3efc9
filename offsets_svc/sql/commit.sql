-- Commit offsets of any consumers; answers each partition as it stands afterwards, from which the caller sees what was
-- refused. A commit is taken when its epoch is the partition's (0: never claimed), neither offset nor position goes back,
-- the topic is the same, and the stored offset is the expected one where the caller says which that is. The rule stands in
-- the update itself, because only there the row is locked and new: a snapshot might be older than a claim.
-- A commit with an epoch makes no row: who has claimed has one. Rows are locked in one order by everybody.
WITH given AS (
    SELECT *
      FROM unnest(%(consumers)s::text[], %(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[],
                  %(positions)s::bigint[], %(epochs)s::bigint[], %(topic_ids)s::text[], %(expects)s::boolean[],
                  %(expected)s::bigint[])
           AS given (consumer, topic, partition, next_offset, position, epoch, topic_id, expects, expected)
), made AS (
    INSERT INTO consumers (name) SELECT DISTINCT consumer FROM given WHERE epoch = 0 ORDER BY consumer
    ON CONFLICT (name) DO NOTHING
), seen AS (
    -- Once a second at most: otherwise the commits of all members would queue for this one row.
    UPDATE consumers SET last_seen = clock_timestamp()
     WHERE name = ANY(%(seen)s::text[]) AND last_seen < clock_timestamp() - interval '1 second'
), after AS (
    INSERT INTO offsets AS kept (consumer, topic, partition, next_offset, position, epoch, topic_id)
    SELECT given.consumer, given.topic, given.partition, given.next_offset, given.position, given.epoch, given.topic_id
      FROM given
     WHERE (given.epoch = 0 AND given.expected IS NULL)
        OR EXISTS (SELECT FROM offsets AS own
                    WHERE own.consumer = given.consumer AND own.topic = given.topic AND own.partition = given.partition)
     ORDER BY given.consumer COLLATE "C", given.topic COLLATE "C", given.partition
    ON CONFLICT (consumer, topic, partition) DO UPDATE
       SET (next_offset, position, topic_id, updated_at, noted_at) = (
           SELECT CASE WHEN taken THEN excluded.next_offset ELSE kept.next_offset END,
                  CASE WHEN taken THEN coalesce(excluded.position, kept.position) ELSE kept.position END,
                  CASE WHEN taken THEN coalesce(kept.topic_id, excluded.topic_id) ELSE kept.topic_id END,
                  CASE WHEN taken THEN now ELSE kept.updated_at END,
                  CASE WHEN taken AND kept.noted_at < now - interval '10 seconds' THEN now ELSE kept.noted_at END
             FROM (SELECT kept.epoch = excluded.epoch
                          AND excluded.next_offset >= coalesce(kept.next_offset, 0)
                          AND coalesce(excluded.position >= kept.position, true)
                          AND coalesce(excluded.topic_id = kept.topic_id, true)
                          AND (SELECT NOT given.expects OR given.expected IS NOT DISTINCT FROM kept.next_offset
                                 FROM given
                                WHERE given.consumer = kept.consumer AND given.topic = kept.topic
                                  AND given.partition = kept.partition),
                          clock_timestamp()) AS rule (taken, now))
    RETURNING consumer, topic, partition, next_offset, position, epoch, topic_id, updated_at, noted_at
), noted AS (
    INSERT INTO commit_history (consumer, topic, partition, at, next_offset, position)
    SELECT consumer, topic, partition, noted_at, next_offset, position FROM after
     WHERE noted_at = updated_at AND next_offset IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT consumer, topic, partition, next_offset, position, epoch, topic_id FROM after
