"""HTTP services: the application factory, errors as problem+json, limits, request ids, health, metrics."""
