-- The present epoch of a partition.
SELECT epoch FROM offsets WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
