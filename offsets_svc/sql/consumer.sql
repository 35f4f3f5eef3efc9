-- One consumer with its partitions, in the shape of consumers.sql.
SELECT consumers.name, consumers.created_at, consumers.last_seen, offsets.topic, offsets.partition, offsets.next_offset,
       offsets.position, offsets.epoch, offsets.member, offsets.updated_at
  FROM consumers
  LEFT JOIN offsets ON offsets.consumer = consumers.name
 WHERE consumers.name = %(consumer)s
 ORDER BY offsets.topic, offsets.partition
