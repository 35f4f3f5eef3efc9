"""Requests that nobody would send on purpose, in numbers, against a running service."""
