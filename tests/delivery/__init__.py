"""What the runtime promises, asked of it on a log in memory and on the real Kafka: one suite for both."""
