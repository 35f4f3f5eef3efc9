-- Everything of a consumer, kept still until the transaction ends.
SELECT own.topic, own.partition, own.next_offset, own.position, own.epoch, own.member,
       consumers.last_seen > clock_timestamp() - interval '60 seconds' AS fresh
  FROM offsets AS own
  JOIN consumers ON consumers.name = own.consumer
 WHERE own.consumer = %(consumer)s
 ORDER BY own.topic, own.partition
   FOR UPDATE OF own
