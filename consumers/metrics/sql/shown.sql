-- Everything that is counted in some partitions, as of one moment.
SELECT p.partition, p.last_position, c.entity_type, c.event_type, c.events, c.crud
  FROM partitions AS p
  JOIN counts AS c ON c.partition = p.partition
 WHERE p.partition = ANY (%(partitions)s)
