-- Hold on to the lease; no row when another relay has taken it.
UPDATE relay_lease
   SET expires_at = clock_timestamp() + %(lease_s)s * interval '1 second'
 WHERE epoch = %(epoch)s
RETURNING epoch
