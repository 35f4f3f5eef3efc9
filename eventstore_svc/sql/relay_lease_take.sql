-- Take the lease when it has run out, with a higher epoch; no row while another relay holds it.
UPDATE relay_lease
   SET holder = %(holder)s, epoch = epoch + 1, expires_at = clock_timestamp() + %(lease_s)s * interval '1 second'
 WHERE expires_at <= clock_timestamp()
RETURNING epoch
