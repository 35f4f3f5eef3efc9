-- A key of a partition, kept still until the transaction ends, for the owner of the partition; whether he is.
WITH owner AS (
    SELECT FROM offsets
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND epoch = %(epoch)s
       FOR SHARE
), held AS (
    SELECT FROM parked, owner
     WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND key = %(key)s
       FOR UPDATE OF parked
)
SELECT (SELECT count(*) FROM owner), (SELECT count(*) FROM held)
