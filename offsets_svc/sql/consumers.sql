-- A page of consumers by name, with their partitions, and how fast each is; a consumer without any has one row with NULLs.
-- `name`: only this one.
SELECT page.name, page.created_at, page.last_seen, own.topic, own.partition, own.next_offset, own.position, own.epoch,
       own.member, own.updated_at, own.topic_id, rates.events_per_s
  FROM (SELECT *
          FROM consumers
         WHERE (%(name)s::text IS NULL AND name > %(after)s) OR name = %(name)s
         ORDER BY name
         LIMIT %(limit)s) AS page
  LEFT JOIN offsets AS own ON own.consumer = page.name
  LEFT JOIN LATERAL (
      SELECT greatest(own.next_offset - past.next_offset, 0)
             / greatest(extract(epoch FROM clock_timestamp() - past.at)::float8, 1) AS events_per_s
        FROM commit_history AS past
       WHERE past.consumer = own.consumer AND past.topic = own.topic AND past.partition = own.partition
         AND past.at > clock_timestamp() - interval '70 seconds'
       ORDER BY past.at
       LIMIT 1) AS rates ON true
 ORDER BY page.name, own.topic, own.partition
