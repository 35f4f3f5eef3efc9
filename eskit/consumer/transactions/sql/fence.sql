-- Nobody who is at work on the view moves its offset any more: his epoch is not the present one, and no claim of his was.
UPDATE eskit_progress
   SET epoch = %(epoch)s
 WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
