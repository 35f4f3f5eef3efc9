-- Remember the topic of this log the first time; later answer the one that was remembered.
WITH pinned AS (
    INSERT INTO relay_topic (name, partitions, topic_id) VALUES (%(name)s, %(partitions)s, %(topic_id)s)
    ON CONFLICT DO NOTHING
    RETURNING name, partitions, topic_id)
SELECT name, partitions, topic_id FROM pinned
UNION ALL
SELECT name, partitions, topic_id FROM relay_topic
LIMIT 1
