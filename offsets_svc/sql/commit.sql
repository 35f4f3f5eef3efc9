-- Commit offsets of different partitions; answers each partition of which there is a row, as it stood before, and whether its
-- commit was taken. The rows are locked first, in the order of consumer, topic and partition, as everybody locks them: a
-- snapshot might be older than a claim, a locked row is not. A commit is taken when its epoch is the partition's (0: never
-- claimed), the topic is the same, the stored offset is the expected one where the caller says which, and neither offset
-- nor position goes back: the rule that `eskit.verdicts` has in words.
WITH given AS (
    SELECT *
      FROM unnest(%(consumers)s::text[], %(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[],
                  %(positions)s::bigint[], %(epochs)s::bigint[], %(topic_ids)s::text[], %(expects)s::boolean[],
                  %(expected)s::bigint[]) WITH ORDINALITY
           AS given (consumer, topic, partition, next_offset, position, epoch, topic_id, expects, expected, number)
), kept AS MATERIALIZED (
    SELECT given.*, own.epoch AS own_epoch, own.next_offset AS own_offset, own.position AS own_position,
           own.topic_id AS own_topic_id, own.noted_at
      FROM given
      JOIN offsets AS own USING (consumer, topic, partition)
     ORDER BY own.consumer, own.topic, own.partition
       FOR NO KEY UPDATE OF own
), judged AS (
    SELECT *, clock_timestamp() AS at,
           noted_at < clock_timestamp() - interval '10 seconds' AS noting,
           epoch = own_epoch
           AND coalesce(topic_id = own_topic_id, true)
           AND NOT (expects AND expected IS DISTINCT FROM own_offset)
           AND next_offset >= coalesce(own_offset, 0)
           AND coalesce(position >= own_position, true) AS taken
      FROM kept
), moved AS (
    UPDATE offsets AS own
       SET next_offset = judged.next_offset,
           position = coalesce(judged.position, own.position),
           topic_id = coalesce(own.topic_id, judged.topic_id),
           updated_at = judged.at,
           noted_at = CASE WHEN judged.noting THEN judged.at ELSE own.noted_at END
      FROM judged
     WHERE judged.taken
       AND own.consumer = judged.consumer AND own.topic = judged.topic AND own.partition = judged.partition
), noted AS (
    INSERT INTO commit_history (consumer, topic, partition, at, next_offset, position)
    SELECT consumer, topic, partition, at, next_offset, coalesce(position, own_position)
      FROM judged
     WHERE taken AND noting
    ON CONFLICT DO NOTHING  -- a clock that was set back
), due AS MATERIALIZED (
    -- Once a second at most: otherwise the commits of all members would queue for this one row. And whoever has locked it
    -- is about to say the same: nobody waits, so no two that name the same consumers can wait for each other.
    SELECT name
      FROM consumers
     WHERE name = ANY(%(seen)s::text[]) AND last_seen < clock_timestamp() - interval '1 second'
       FOR NO KEY UPDATE SKIP LOCKED
), seen AS (
    UPDATE consumers SET last_seen = clock_timestamp() FROM due WHERE consumers.name = due.name
)
SELECT number, taken, topic, partition, own_offset, own_position, own_epoch, own_topic_id FROM judged
