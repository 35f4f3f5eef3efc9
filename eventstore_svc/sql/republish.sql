-- Forget the topic and put the whole log into the outbox again: the next relay publishes all of it to a topic without records.
-- Where the partitions end is forgotten, too: it may have other partitions.
WITH forgotten AS (DELETE FROM relay_topic RETURNING name), ends AS (DELETE FROM relay_ends)
INSERT INTO outbox (position)
SELECT position FROM events
ON CONFLICT DO NOTHING
