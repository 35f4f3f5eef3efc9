-- Which lives of a topic a consumer's offsets count in.
SELECT partition, topic_id
  FROM offsets
 WHERE consumer = %(consumer)s AND topic = %(topic)s AND topic_id IS NOT NULL
 ORDER BY partition
