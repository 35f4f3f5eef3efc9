"""Exactly once into Postgres: the effect of events and the offset behind them are one transaction."""
