"""The relay: publishes the log to its topic, in order, each event once for our consumers. One is active."""
