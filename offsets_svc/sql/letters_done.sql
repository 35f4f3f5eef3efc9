-- A letter has had its effect, says the owner: forget it.
WITH owner AS (
    SELECT FROM offsets
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s
       FOR SHARE
), gone AS (
    DELETE FROM letters USING owner
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND record_offset = %(offset)s
)
SELECT count(*) FROM owner
