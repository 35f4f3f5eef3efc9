"""Consumer processes killed, put to sleep and poisoned under load: `python -m tests.faults`."""
