package snowflake

import (
	"database/sql"
	"encoding/json"
	"testing"
)

// FuzzRow: whatever a server says a column and its value are, a row is one
// object of JSON with that column.
func FuzzRow(f *testing.F) {
	for _, seed := range [][3]string{
		{"A", "NUMBER(38,0)", "123456789012345678901234567890"}, {"a\"b", "FLOAT", "NaN"}, {"", "FLOAT", "-1e400"}, {"V", "VARIANT", `{"a":[1,{"b":null}]}`}, {"V", "VARIANT", `{"a":`},
		{"B", "BINARY(8)", "\x00\xff"}, {"T", "TIMESTAMP_LTZ(9)", "2026-01-02 03:04:05.123456789 +0100"}, {"T", "DATE", "9999-12-31"}, {"S", "VARCHAR(10) COLLATE 'de'", "\u2028\xed\xa0\x80"}, {"X", "((,)", "1"}, {"O", "BOOLEAN", "TRUE"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, name, typ, text string) {
		sh := &shape{columns: []column{newColumn(name, typ)}}
		cells := []sql.NullString{{String: text, Valid: true}}
		content := sh.json(cells)
		var row map[string]json.RawMessage // a number may have more digits than a float64
		if err := json.Unmarshal(content, &row); err != nil || len(row) != 1 {
			t.Fatalf("%q of type %q and value %q is written %s: %v", name, typ, text, content, err)
		}
		if v := sh.values(cells); len(v) > 1 {
			t.Fatalf("%q of type %q and value %q is mapped to %v", name, typ, text, v)
		}
		instant(text)
		sh.columns[0].scale()
		_ = sh.columns[0].text()
	})
}

// FuzzCursor: a cursor that is not one of ours is dead, and one that is read is
// written as what reads the same.
func FuzzCursor(f *testing.F) {
	sh := &shape{columns: []column{newColumn("A", "NUMBER(38,0)")}}
	f.Add([]byte(cursor{Phase: phaseScan, Columns: sh.fingerprint()}.encode()))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"phase":"scan"}{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decode(b, sh)
		if err != nil {
			return
		}
		if again, err := decode(c.encode(), sh); err != nil || again != c {
			t.Fatalf("%s is read as %+v, written and read as %+v, %v", b, c, again, err)
		}
	})
}
