"""The whole stack on one machine, from Python alone: PostgreSQL, Kafka and the services."""
