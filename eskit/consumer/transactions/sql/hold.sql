-- The same, and nobody moves it before our transaction has ended.
SELECT partition, epoch, next_offset, position
  FROM eskit_progress
 WHERE consumer = %(consumer)s AND topic = %(topic)s
 ORDER BY partition
   FOR UPDATE
