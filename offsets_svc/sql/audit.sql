-- What was done by hand, and how it was before.
INSERT INTO resets (consumer, topic, what, given_by, reason, forced, partitions)
VALUES (%(consumer)s, %(topic)s, %(what)s, %(by)s, %(reason)s, %(forced)s, %(partitions)s)
RETURNING id
