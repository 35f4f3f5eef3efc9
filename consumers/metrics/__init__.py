"""The metrics consumer: what is in the log, by type and by partition, and how far each consumer has come."""
