-- Which events the log has at these positions.
SELECT position, event_id::text FROM events WHERE position = ANY (%(positions)s)
