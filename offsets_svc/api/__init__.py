"""The calls of the offsets service."""
