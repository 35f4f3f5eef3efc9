-- What a copy has done counts for another consumer. The epochs stay: no member of that one has them, its next claims are
-- newer.
WITH drained AS (
    UPDATE eskit_drained SET consumer = %(into)s WHERE consumer = %(consumer)s AND topic = %(topic)s
)
UPDATE eskit_progress SET consumer = %(into)s WHERE consumer = %(consumer)s AND topic = %(topic)s
