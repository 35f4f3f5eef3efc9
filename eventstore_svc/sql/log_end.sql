-- The log's last position; 0 for an empty log. (Not with what is published: that has to look at the outbox.)
SELECT coalesce(max(position), 0) FROM events
