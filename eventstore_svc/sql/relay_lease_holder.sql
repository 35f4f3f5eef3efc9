-- Who holds the lease, for a standby's readiness.
SELECT holder, epoch FROM relay_lease
