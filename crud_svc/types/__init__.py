"""Types: the JSON Schemas that entities are validated against, their versions, and what two of them have in common."""
