-- A letter was tried again and has failed, says the owner: its new cause, and its key goes on waiting.
-- A letter that somebody has thrown away meanwhile holds nobody up: its key is still wanted back then.
-- The key is locked before the letter, as everybody does.
WITH owner AS (
    SELECT FROM offsets
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s
       FOR SHARE
), held AS (
    SELECT FROM parked, owner
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
       FOR UPDATE OF parked
), letter AS (
    UPDATE letters
       SET failed = true, error_type = %(error_type)s, error = %(error)s, traceback_hash = %(hash)s,
           attempts = least(attempts::bigint + %(attempts)s, 2147483647)
      FROM held
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND record_offset = %(offset)s
    RETURNING letters.record_offset
), waits AS (
    UPDATE parked SET retry = false
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
       AND EXISTS (SELECT FROM letter)
)
SELECT count(*) FROM owner
