"""Murmur2 as Java's producer uses it for keys: any client in any language finds the same partition."""

from __future__ import annotations

import struct
from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_32 = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit hash, unsigned. (Austin Appleby's MurmurHash2, little endian.)"""
    size = len(data)
    h = _SEED ^ size
    for (k,) in struct.iter_unpack("<I", data[: size & ~3]):
        k = k * _M & _32  # noqa: PLW2901 - the algorithm's own steps
        k = (k ^ k >> 24) * _M & _32  # noqa: PLW2901
        h = (h * _M & _32) ^ k
    if tail := data[size & ~3 :]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _32
    h = (h ^ h >> 13) * _M & _32
    return h ^ h >> 15


@lru_cache(maxsize=100_000)
def partition(key: str, partitions: int) -> int:
    """The partition of an originator id."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
