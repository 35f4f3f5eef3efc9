"""PostgreSQL: connections with a schema and a role of their own, migrations, statements in files, one error boundary."""
