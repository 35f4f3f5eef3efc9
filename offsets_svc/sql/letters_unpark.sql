-- A key may go, says the owner, if no letter of it is left. Only he adds letters, and he does not while he asks.
WITH owner AS (
    SELECT FROM offsets
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s
       FOR SHARE
), gone AS (
    DELETE FROM parked USING owner
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
       AND NOT EXISTS (SELECT FROM letters
                        WHERE letters.consumer = %(consumer)s AND letters.topic = %(topic)s
                          AND letters.partition = %(partition)s AND letters.key = %(key)s)
    RETURNING key
), left_over AS (
    -- With letters left it goes on as it was, tried again or not; without a row it is gone already.
    SELECT FROM letters
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
     LIMIT 1
)
SELECT (SELECT count(*) FROM owner), NOT EXISTS (SELECT FROM left_over)
