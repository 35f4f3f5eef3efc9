-- Make the rows of partitions that nobody ever claimed or committed, for commits without an epoch.
WITH given AS (
    SELECT *
      FROM unnest(%(consumers)s::text[], %(topics)s::text[], %(partitions)s::integer[])
           AS given (consumer, topic, partition)
), made AS (
    INSERT INTO consumers (name) SELECT DISTINCT consumer FROM given ORDER BY consumer ON CONFLICT (name) DO NOTHING
), watched AS (
    INSERT INTO topics (topic) SELECT DISTINCT topic FROM given ORDER BY topic ON CONFLICT DO NOTHING
)
INSERT INTO offsets (consumer, topic, partition)
SELECT consumer, topic, partition FROM given ORDER BY consumer COLLATE "C", topic COLLATE "C", partition
ON CONFLICT (consumer, topic, partition) DO NOTHING
RETURNING partition
