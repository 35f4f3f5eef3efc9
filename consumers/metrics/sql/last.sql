-- The position of the last event of a partition that is counted.
SELECT last_position FROM partitions WHERE partition = %(partition)s
