package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The decoder is written for one schema. When this fails, the schema has changed: change the decoder, then the constant.
func TestFingerprintIsThatOfTheSchema(t *testing.T) {
	text, err := os.ReadFile("../../schemas/application_log_entry.avsc")
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if got := crc64Avro([]byte(canonical(schema, ""))); got != fingerprint {
		t.Errorf("%#X is the schema's fingerprint, %#X ours\n%s", got, uint64(fingerprint), canonical(schema, ""))
	}
}

// From the test cases of Avro itself.
func TestFingerprintOfInt(t *testing.T) {
	if got := crc64Avro([]byte(`"int"`)); got != 0x7275D51A3F395C8F {
		t.Errorf("%#X", got)
	}
}

// canonical is Avro's Parsing Canonical Form: what matters for decoding, in one order, with full names, without spaces.
func canonical(schema any, namespace string) string {
	switch s := schema.(type) {
	case string:
		return quoted(s)
	case []any:
		var branches []string
		for _, branch := range s {
			branches = append(branches, canonical(branch, namespace))
		}
		return "[" + strings.Join(branches, ",") + "]"
	case map[string]any:
		return canonicalObject(s, namespace)
	}
	panic(fmt.Sprintf("%T in a schema", schema))
}

func canonicalObject(s map[string]any, namespace string) string {
	kind, _ := s["type"].(string)
	if given, ok := s["namespace"].(string); ok {
		namespace = given
	}
	switch kind {
	case "map":
		return `{"type":"map","values":` + canonical(s["values"], namespace) + "}"
	case "array":
		return `{"type":"array","items":` + canonical(s["items"], namespace) + "}"
	case "record":
		var fields []string
		for _, field := range s["fields"].([]any) {
			f := field.(map[string]any)
			fields = append(fields, `{"name":`+quoted(f["name"])+`,"type":`+canonical(f["type"], namespace)+"}")
		}
		name := namespace + "." + s["name"].(string)
		return `{"name":` + quoted(name) + `,"type":"record","fields":[` + strings.Join(fields, ",") + "]}"
	}
	return quoted(kind) // a primitive type with a logical one
}

func quoted(text any) string { return `"` + text.(string) + `"` }

func crc64Avro(data []byte) uint64 {
	const empty = 0xC15D213AA4D7A795
	sum := uint64(empty)
	for _, b := range data {
		sum ^= uint64(b)
		for range 8 {
			sum = sum>>1 ^ empty&-(sum&1)
		}
	}
	return sum
}
