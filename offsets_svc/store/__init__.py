"""Claims, offsets and dead letters on Postgres."""
