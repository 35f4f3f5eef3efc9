-- A consumer is gone, with its offsets and letters; its history and what was done by hand stay.
DELETE FROM consumers WHERE name = %(consumer)s RETURNING name
