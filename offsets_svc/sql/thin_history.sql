-- Of what is older than an hour a row in five minutes stays, of what is older than thirty days none.
DELETE FROM commit_history AS old
 WHERE (old.at < clock_timestamp() - interval '1 hour'
        AND EXISTS (SELECT FROM commit_history AS later
                     WHERE later.consumer = old.consumer AND later.topic = old.topic AND later.partition = old.partition
                       AND later.at > old.at
                       AND floor(extract(epoch FROM later.at) / 300) = floor(extract(epoch FROM old.at) / 300)))
    OR old.at < clock_timestamp() - interval '30 days'
RETURNING old.partition
