"""Readers that wait for new events: one reading of the log for all of them."""
