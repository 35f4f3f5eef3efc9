-- The same for ends: each first sight of an end counts for ten minutes, then one in ten seconds, after a day one in five
-- minutes; the last one of a partition stays for ever.
DELETE FROM topic_ends AS old
 USING (SELECT topic, partition, end_offset, at,
               lead(at) OVER (PARTITION BY topic, partition ORDER BY end_offset) AS next_at
          FROM topic_ends
         WHERE at < clock_timestamp() - interval '10 minutes') AS seen
 WHERE old.topic = seen.topic AND old.partition = seen.partition AND old.end_offset = seen.end_offset
   AND seen.next_at IS NOT NULL
   AND (floor(extract(epoch FROM seen.at) / 300) = floor(extract(epoch FROM seen.next_at) / 300)
        OR seen.at < clock_timestamp() - interval '30 days')
   AND (seen.at < clock_timestamp() - interval '1 day'
        OR floor(extract(epoch FROM seen.at) / 10) = floor(extract(epoch FROM seen.next_at) / 10))
RETURNING old.partition
