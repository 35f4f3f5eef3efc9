-- A key goes if no letter of it is left; whether it is gone. It is kept still before this statement takes its snapshot: so
-- letters that came meanwhile are seen.
WITH gone AS (
    DELETE FROM parked
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
       AND NOT EXISTS (SELECT FROM letters
                        WHERE letters.consumer = %(consumer)s AND letters.topic = %(topic)s
                          AND letters.partition = %(partition)s AND letters.key = %(key)s)
)
SELECT NOT EXISTS (SELECT FROM letters
                    WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s)
