-- The partitions of a consumer in a topic, kept still until the transaction ends; and whether it was heard of: a member
-- that has nothing to commit yet gives signs of life of the consumer, not of its partitions.
SELECT own.partition, own.next_offset, own.position, own.epoch, own.member,
       consumers.last_seen > clock_timestamp() - interval '60 seconds' AS fresh
  FROM offsets AS own
  JOIN consumers ON consumers.name = own.consumer
 WHERE own.consumer = %(consumer)s AND own.topic = %(topic)s
 ORDER BY own.partition
   FOR UPDATE OF own
