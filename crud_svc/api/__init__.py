"""The calls of the CRUD service."""
