-- The ends of partitions as they are now. Who else watches has seen the same, and one row serves both.
-- An end that is lower than it was belongs to a topic made anew: what was known of the old one goes.
WITH seen AS (
    SELECT *
      FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(ends)s::bigint[]) AS seen (topic, partition, end_offset)
), gone AS (
    DELETE FROM topic_ends AS old USING seen
     WHERE old.topic = seen.topic AND old.partition = seen.partition AND old.end_offset > seen.end_offset
       AND %(anew)s
)
INSERT INTO topic_ends (topic, partition, end_offset, at)
SELECT topic, partition, end_offset, clock_timestamp() FROM seen ORDER BY topic, partition
ON CONFLICT DO NOTHING
RETURNING topic
