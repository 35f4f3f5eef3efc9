-- How far the view has come, if the claim is still the present one.
SELECT next_offset
  FROM eskit_progress
 WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s
   FOR UPDATE
