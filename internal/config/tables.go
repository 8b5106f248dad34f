package config

import (
	"encoding/json"
	"strings"

	"mooring/internal/errs"
)

// tables are the settings that are tables of the file, [TABLE.NAME], and JSON
// objects in the environment: the flag of each table.
var tables = map[string]string{oauthTable: oauthFlag, destinationsTable: destinationsFlag}

// encodeTables brings the file's tables to the form of the flag.
func encodeTables(v any) (string, error) {
	if _, ok := v.(map[string]any); !ok {
		return "", errs.New(errs.Invalid, "config", "not a table")
	}
	raw, err := json.Marshal(v)
	return string(raw), err
}

// decodeTables reads tables by their names. Why it can't is not told: that may
// quote a secret that was put in the wrong place.
func decodeTables[T any](text string) (map[string]T, bool) {
	var out map[string]T
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&out)
	return out, err == nil && !d.More()
}
