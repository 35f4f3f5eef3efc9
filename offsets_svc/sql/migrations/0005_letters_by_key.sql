-- What is looked for by its key alone, and what owners ask for every second, is found by an index.

CREATE INDEX ON parked (consumer, key);
CREATE INDEX ON parked (consumer, topic, partition, key) WHERE retry;
DROP INDEX parked_consumer_topic_partition_idx;
