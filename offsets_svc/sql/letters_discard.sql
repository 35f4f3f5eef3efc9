-- Letters are thrown away; what waited behind them is to be handled again.
WITH gone AS (
    DELETE FROM letters
     WHERE consumer = %(consumer)s AND key = %(key)s
       AND (topic, partition) IN (SELECT topic, partition FROM parked
                                   WHERE parked.consumer = %(consumer)s AND parked.key = %(key)s)
       AND (%(all)s OR record_offset = ANY(%(offsets)s::bigint[]) OR (cardinality(%(offsets)s::bigint[]) = 0 AND failed))
    RETURNING topic, partition, record_offset, event_id
), again AS (
    UPDATE parked SET retry = true WHERE consumer = %(consumer)s AND key = %(key)s AND EXISTS (SELECT FROM gone)
)
SELECT topic, partition, record_offset, event_id FROM gone ORDER BY topic, partition, record_offset
