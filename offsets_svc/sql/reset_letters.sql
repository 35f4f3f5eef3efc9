-- The records of these letters come again: forget the letters, and who waits for nothing else.
WITH wanted AS (
    SELECT * FROM unnest(%(partitions)s::integer[], %(offsets)s::bigint[]) AS wanted (partition, next_offset)
), gone AS (
    DELETE FROM letters USING wanted
     WHERE letters.consumer = %(consumer)s AND letters.topic = %(topic)s AND letters.partition = wanted.partition
       AND letters.record_offset >= wanted.next_offset
    RETURNING letters.record_offset
), let_go AS (
    DELETE FROM parked USING wanted
     WHERE parked.consumer = %(consumer)s AND parked.topic = %(topic)s AND parked.partition = wanted.partition
       AND NOT EXISTS (SELECT FROM letters AS left_over
                        WHERE left_over.consumer = parked.consumer AND left_over.topic = parked.topic
                          AND left_over.partition = parked.partition AND left_over.key = parked.key
                          AND left_over.record_offset < wanted.next_offset)
)
SELECT count(*) FROM gone
