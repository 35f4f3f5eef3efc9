-- The topic this log is pinned to; no row before the first relay.
SELECT name, partitions, topic_id FROM relay_topic
