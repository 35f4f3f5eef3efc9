"""Entities on top of the event store: reading, deciding, appending."""
