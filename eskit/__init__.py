"""ESKIT: event sourcing on PostgreSQL and Kafka. What the services share, and what users import."""

from importlib.metadata import version

__version__ = version("eskit")
