"""Bugs planted into the consumer runtime, one at a time, and the tests that must find them."""
