"""PostgreSQL: connections with their own schema and role, migrations, statements in files, one error boundary."""
