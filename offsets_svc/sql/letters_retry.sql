-- Somebody wants letters to be handled again. Keys are locked in one order by everybody.
WITH held AS (
    SELECT topic, partition, key
      FROM parked
     WHERE consumer = %(consumer)s AND (%(all)s OR key = ANY(%(keys)s::text[]))
     ORDER BY topic, partition, key
       FOR UPDATE
), again AS (
    UPDATE parked SET retry = true
      FROM held
     WHERE parked.consumer = %(consumer)s AND parked.topic = held.topic AND parked.partition = held.partition
       AND parked.key = held.key
)
SELECT count(*) FROM held
