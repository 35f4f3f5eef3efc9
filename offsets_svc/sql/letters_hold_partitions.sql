-- All keys that wait in some partitions, kept still until the transaction ends, before their letters are touched.
WITH held AS (
    SELECT FROM parked
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = ANY(%(partitions)s::integer[])
     ORDER BY partition, key
       FOR UPDATE
)
SELECT count(*) FROM held
