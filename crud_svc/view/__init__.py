"""The entity view: what entities are now, kept exactly once from the topic, for lists and searches."""
