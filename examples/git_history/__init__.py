"""A git repository's history as entities with history: import it, replay it, compare it with git."""
