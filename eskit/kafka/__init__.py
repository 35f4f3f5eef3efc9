"""The topic: the record of an event, its partition, and the clients' settings."""
