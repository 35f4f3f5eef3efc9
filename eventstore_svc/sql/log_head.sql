-- The log's last position, and the position up to which everything is known to be on the topic.
SELECT head.position, coalesce((SELECT min(position) - 1 FROM outbox), head.position)
  FROM (SELECT coalesce(max(position), 0) AS position FROM events) AS head
