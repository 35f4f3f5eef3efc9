package main

import "encoding/binary"

// PartitionOf is the partition of an originator id: murmur2 of its UTF-8 bytes without the sign, as Java's producer does
// it. The relay chooses by it, so every event of an originator is in this partition and in no other.
func PartitionOf(originatorID string, partitions int32) int32 {
	return int32(murmur2([]byte(originatorID))&0x7FFFFFFF) % partitions
}

// murmur2 is Austin Appleby's MurmurHash2 with Kafka's seed.
func murmur2(data []byte) uint32 {
	const m = 0x5BD1E995
	h := 0x9747B28C ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		k = (k ^ k>>24) * m
		h = h*m ^ k
	}
	if len(data) > 0 {
		for i, b := range data {
			h ^= uint32(b) << (8 * i)
		}
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
