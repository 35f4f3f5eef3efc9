-- A claim reaches the view: from here on only its epoch moves the offset. Answers where to go on; no row: there is a newer
-- claim. The view's own offset counts, unless the consumer was reset since the last claim that the view knows of.
-- A reset leaves the letters below its offset: what has been drained of them is known on.
WITH drained AS (
    DELETE FROM eskit_drained
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
       AND record_offset >= coalesce(%(offset)s::bigint, 0)
       AND EXISTS (SELECT FROM eskit_progress AS kept
                    WHERE kept.consumer = %(consumer)s AND kept.topic = %(topic)s AND kept.partition = %(partition)s
                      AND kept.epoch < %(reset)s)
)
INSERT INTO eskit_progress AS kept (consumer, topic, partition, epoch, next_offset, position)
SELECT %(consumer)s, %(topic)s, %(partition)s, %(epoch)s,
       CASE WHEN %(reset)s > 0 THEN %(offset)s::bigint END, CASE WHEN %(reset)s > 0 THEN %(position)s::bigint END
ON CONFLICT (consumer, topic, partition) DO UPDATE
   SET epoch = excluded.epoch, updated_at = clock_timestamp(),
       next_offset = CASE WHEN kept.epoch < %(reset)s THEN excluded.next_offset ELSE kept.next_offset END,
       position = CASE WHEN kept.epoch < %(reset)s THEN excluded.position ELSE kept.position END
 WHERE kept.epoch < excluded.epoch
RETURNING next_offset, position
