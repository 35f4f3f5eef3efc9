"""Benchmarks: ours beside its limit or a peer in the same run; medians and ratios, never an assertion on time."""
