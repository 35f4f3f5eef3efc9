-- How far the view has come in each partition.
SELECT partition, coalesce(position, 0) FROM eskit_progress WHERE consumer = %(consumer)s AND topic = %(topic)s
