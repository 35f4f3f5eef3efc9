"""What other designs of the log would cost: each beside today's, in the same run."""
