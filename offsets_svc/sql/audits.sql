-- What was done by hand to a consumer, newest first.
SELECT consumer, topic, at, what, given_by, reason, forced, partitions
  FROM resets
 WHERE consumer = %(consumer)s
 ORDER BY id DESC
 LIMIT %(limit)s
