-- A letter was tried again and has failed, says the owner: its new cause, and its key goes on waiting.
WITH owner AS (
    SELECT FROM offsets
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s
       FOR SHARE
), letter AS (
    UPDATE letters
       SET failed = true, error_type = %(error_type)s, error = %(error)s, traceback_hash = %(hash)s,
           attempts = attempts + %(attempts)s
      FROM owner
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND record_offset = %(offset)s
), waits AS (
    UPDATE parked SET retry = false
      FROM owner
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
)
SELECT count(*) FROM owner
