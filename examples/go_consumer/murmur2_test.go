package main

import "testing"

// The kit's own tests hold the same table against the relay's function.
func TestPartitionOf(t *testing.T) {
	var table []struct {
		Key    string
		Of1    int32 `json:"of_1"`
		Of4    int32 `json:"of_4"`
		Of6    int32 `json:"of_6"`
		Of1000 int32 `json:"of_1000"`
	}
	load(t, "testdata/partitions.json", &table)
	if len(table) == 0 {
		t.Fatal("the table is empty")
	}
	for _, row := range table {
		for partitions, want := range map[int32]int32{1: row.Of1, 4: row.Of4, 6: row.Of6, 1000: row.Of1000} {
			if got := PartitionOf(row.Key, partitions); got != want {
				t.Errorf("%q of %d: %d, want %d", row.Key, partitions, got, want)
			}
		}
	}
}

// From the tests of Kafka's own Utils.murmur2.
func TestMurmur2AsInJava(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("%q: %d, want %d", key, got, want)
		}
	}
}
