"""Proof that snapshots and views are caches: every entity folded anew from its events, and compared with them."""
