-- End a session of this login; false when it has not ended within 3 s, no row when it is gone already.
SELECT pg_terminate_backend(pid, 3000) FROM pg_stat_activity WHERE pid = %(pid)s AND backend_start = %(started)s
