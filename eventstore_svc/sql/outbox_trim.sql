-- Remove what is known to be on the topic; nothing when another relay has taken the lease since.
DELETE FROM outbox
 WHERE position <= %(published)s
   AND EXISTS (SELECT FROM relay_lease WHERE epoch = %(epoch)s)
