-- A page of consumers by name, with their partitions; a consumer without any has one row with NULLs.
SELECT page.name, page.created_at, page.last_seen, offsets.topic, offsets.partition, offsets.next_offset,
       offsets.position, offsets.epoch, offsets.member, offsets.updated_at
  FROM (SELECT * FROM consumers WHERE name > %(after)s ORDER BY name LIMIT %(limit)s) AS page
  LEFT JOIN offsets ON offsets.consumer = page.name
 ORDER BY page.name, offsets.topic, offsets.partition
