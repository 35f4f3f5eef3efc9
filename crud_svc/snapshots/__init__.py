"""Snapshots: states of entities kept beside the log, so that reading costs the same after any number of events."""
