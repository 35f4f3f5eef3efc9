"""The calls of the event store over REST, a module for each kind of thing they are about."""
