-- Somebody wants letters to be handled again.
UPDATE parked SET retry = true
 WHERE consumer = %(consumer)s AND (%(all)s OR key = ANY(%(keys)s::text[]))
RETURNING key
