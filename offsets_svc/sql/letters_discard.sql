-- Letters of a key in one partition are thrown away; what waited behind them is to be handled again.
WITH gone AS (
    DELETE FROM letters
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
       AND (%(all)s OR record_offset = ANY(%(offsets)s::bigint[]) OR (cardinality(%(offsets)s::bigint[]) = 0 AND failed))
    RETURNING record_offset, event_id
), again AS (
    UPDATE parked SET retry = true
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
       AND EXISTS (SELECT FROM gone)
)
SELECT record_offset, event_id FROM gone ORDER BY record_offset
