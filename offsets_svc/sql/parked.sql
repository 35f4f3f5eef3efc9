-- Keys that wait, in the order of topic, partition, key, those after a place and up to a partition; how many letters each
-- has, where that is wanted.
SELECT topic, partition, key, retry, first_offset, since,
       CASE WHEN %(count)s THEN (SELECT count(*) FROM letters
                                  WHERE letters.consumer = parked.consumer AND letters.topic = parked.topic
                                    AND letters.partition = parked.partition AND letters.key = parked.key) END
  FROM parked
 WHERE consumer = %(consumer)s AND (topic, partition, key) > (%(after_topic)s, %(after_partition)s, %(after_key)s)
   AND (topic, partition) <= (%(last_topic)s, %(last_partition)s)
   AND (%(partition)s::integer IS NULL OR partition = %(partition)s)
   AND (%(retry)s::boolean IS NULL OR retry = %(retry)s)
 ORDER BY topic, partition, key
 LIMIT %(limit)s
