"""What Kafka tells of the topics that consumers read."""
