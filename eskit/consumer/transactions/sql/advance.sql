-- The offset moves in the transaction of the effect, by the present claim only, from where that claim has left it.
UPDATE eskit_progress
   SET next_offset = %(next_offset)s, position = greatest(position, %(position)s), updated_at = clock_timestamp()
 WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s
   AND next_offset IS NOT DISTINCT FROM %(before)s::bigint
