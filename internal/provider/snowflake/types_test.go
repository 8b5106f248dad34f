package snowflake_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// one reads the only item of a table.
func one(t testing.TB, src driver.Source) driver.Item {
	t.Helper()
	all, _ := follow(t, src, items, nil)
	if len(all) != 1 {
		t.Fatalf("%d items", len(all))
	}
	return all[0].Item
}

func TestEveryTypeIsJSONWithEveryDigit(t *testing.T) {
	big := "-12345678901234567890123456789012345678"
	for name, c := range map[string]struct {
		column emulator.Column
		value  any
		want   string
		mapped any // what a mapping sees
	}{
		"NUMBER(38,0)":           {emulator.Column{Type: emulator.Number, Precision: 38}, big, big, big},
		"NUMBER(38,37)":          {emulator.Column{Type: emulator.Number, Precision: 38, Scale: 37}, "1.2345678901234567890123456789012345678", "1.2345678901234567890123456789012345678", "1.2345678901234567890123456789012345678"},
		"NUMBER that fits":       {emulator.Column{Type: emulator.Number, Precision: 18}, 9007199254740993, "9007199254740993", int64(9007199254740993)},
		"NUMBER with a fraction": {emulator.Column{Type: emulator.Number, Precision: 10, Scale: 2}, "-12.50", "-12.50", -12.5},
		"FLOAT":                  {emulator.Column{Type: emulator.Float}, 16777217.25, "16777217.25", 16777217.25},
		"DECFLOAT":               {emulator.Column{Type: emulator.DecFloat}, "1.2345678901234567890123456789012345678", "1.2345678901234567890123456789012345678", "1.2345678901234567890123456789012345678"},
		"BOOLEAN":                {emulator.Column{Type: emulator.Boolean}, true, "true", true},
		"VARCHAR":                {emulator.Column{Type: emulator.Varchar}, "a \"q\" \\ \n\t\x01 é 日本語 <&>\u2028", "\"a \\\"q\\\" \\\\ \\n\\t\\u0001 é 日本語 <&>\u2028\"", "a \"q\" \\ \n\t\x01 é 日本語 <&>\u2028"},
		"empty VARCHAR":          {emulator.Column{Type: emulator.Varchar}, "", `""`, ""},
		"BINARY":                 {emulator.Column{Type: emulator.Binary}, []byte{0, 1, 0xff}, `"AAH/"`, "AAH/"},
		"DATE":                   {emulator.Column{Type: emulator.Date}, "2026-02-28", `"2026-02-28"`, "2026-02-28"},
		"DATE before 1970":       {emulator.Column{Type: emulator.Date}, "1582-10-15", `"1582-10-15"`, "1582-10-15"},
		"TIME":                   {emulator.Column{Type: emulator.Time}, "23:59:59.999999999", `"23:59:59.999999999"`, "23:59:59.999999999"},
		"TIMESTAMP_NTZ":          {emulator.Column{Type: emulator.TimestampNTZ}, "2026-01-02 03:04:05.123456789", `"2026-01-02T03:04:05.123456789"`, "2026-01-02T03:04:05.123456789"},
		"TIMESTAMP_NTZ, old":     {emulator.Column{Type: emulator.TimestampNTZ}, "1969-12-31 23:59:58.500000000", `"1969-12-31T23:59:58.500000000"`, "1969-12-31T23:59:58.500000000"},
		"TIMESTAMP_LTZ":          {emulator.Column{Type: emulator.TimestampLTZ}, "2026-01-02 03:04:05.000000001 +0000", `"2026-01-02T03:04:05.000000001+00:00"`, "2026-01-02T03:04:05.000000001+00:00"},
		"TIMESTAMP_TZ":           {emulator.Column{Type: emulator.TimestampTZ}, "2026-01-02 03:04:05.123456789 -0830", `"2026-01-02T03:04:05.123456789-08:30"`, "2026-01-02T03:04:05.123456789-08:30"},
		"VARIANT":                {emulator.Column{Type: emulator.Variant}, `{"b": [1, 2.50, null, "x/%"], "a": 12345678901234567890123}`, `{"b":[1,2.50,null,"x/%"],"a":12345678901234567890123}`, `{"b":[1,2.50,null,"x/%"],"a":12345678901234567890123}`},
		"OBJECT":                 {emulator.Column{Type: emulator.Object}, `{"k": true}`, `{"k":true}`, `{"k":true}`},
		"ARRAY":                  {emulator.Column{Type: emulator.Array}, `[1, "two"]`, `[1,"two"]`, `[1,"two"]`},
		"GEOGRAPHY":              {emulator.Column{Type: emulator.Geography}, `{"coordinates":[1.5,2],"type":"Point"}`, `{"coordinates":[1.5,2],"type":"Point"}`, `{"coordinates":[1.5,2],"type":"Point"}`},
		"NULL":                   {emulator.Column{Type: emulator.Number, Nullable: true}, nil, "null", nil},
		"NULL VARIANT":           {emulator.Column{Type: emulator.Variant, Nullable: true}, nil, "null", nil},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, emulator.Options{})
			c.column.Name = `A "col`
			srv.Table(items, []emulator.Column{c.column, {Name: "ID", Type: emulator.Number}}).Insert(emulator.Row{c.value, 7})
			// With a key, and by the hash of the row: both read the value.
			for _, fields := range []map[string]any{{"primary_key_columns": []string{"ID"}}, {}} {
				src := open(t, srv, settings(fields))
				it := one(t, src)
				if want := `{"A \"col":` + c.want + `,"ID":7}`; string(it.Inline) != want {
					t.Errorf("%s\nwant %s", it.Inline, want)
				}
				if !json.Valid(it.Inline) || read(t, src, it) != string(it.Inline) {
					t.Errorf("read again it is another row: %s", it.Inline)
				}
				if d := cmp.Diff(c.mapped, it.Columns[c.column.Name]); d != "" {
					t.Error(d)
				}
				if err := gob.NewEncoder(new(bytes.Buffer)).Encode(it); err != nil {
					t.Errorf("an item that can't be sorted on disk: %v", err)
				}
			}
		})
	}
}

func TestKeysOfEveryTypeLeadBack(t *testing.T) {
	srv := start(t, emulator.Options{ChunkRows: 2})
	table := srv.Table(items, []emulator.Column{
		{Name: "a", Type: emulator.Varchar, Nullable: true}, {Name: "B", Type: emulator.Number, Precision: 38, Nullable: true},
		{Name: "C", Type: emulator.TimestampTZ, Nullable: true}, {Name: "D", Type: emulator.Variant, Nullable: true},
	})
	stamps := []any{nil, "2026-01-02 03:04:05.123456789 +0100"}
	n := 0
	for _, a := range []any{nil, "", "x/y", "x", "y", "%", "%00", "%2F", "/", "'; --", `"`, "日本"} {
		for _, b := range []any{nil, 1, "99999999999999999999999999999999999999"} {
			for _, c := range stamps {
				for _, d := range []any{nil, `1`, `"1"`, `{"k":"a/b"}`} {
					table.Insert(emulator.Row{a, b, c, d})
					n++
				}
			}
		}
	}
	for name, fields := range map[string]map[string]any{
		"key":    {"primary_key_columns": []string{`"a"`, "b", "c", "D"}, "fetch_size": int64(100)},
		"no key": {"fetch_size": int64(100)},
		"quoted": {"primary_key_columns": []string{"A", "B", "C", "D"}, "database": `"DB"`},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, srv, settings(fields))
			all, _ := follow(t, src, items, nil)
			ids := map[string]bool{}
			last := ""
			for _, c := range all {
				if ids[c.Item.ID] || c.Item.ID <= last {
					t.Errorf("%q comes twice or after %q", c.Item.ID, last)
				}
				last = c.Item.ID
				ids[last] = true
			}
			if len(ids) != n {
				t.Fatalf("%d ids of %d rows", len(ids), n)
			}
			for i, c := range all {
				if i%7 == 0 && read(t, src, c.Item) != string(c.Item.Inline) {
					t.Errorf("%q leads to another row", c.Item.ID)
				}
			}
		})
	}
}

func TestPartsOfAKeyDoNotRunTogether(t *testing.T) {
	srv := start(t, emulator.Options{})
	text := func(name string) emulator.Column {
		return emulator.Column{Name: name, Type: emulator.Varchar, Nullable: true}
	}
	table := srv.Table(items, []emulator.Column{text("A"), text("B")})
	rows := []emulator.Row{{"x/y", "z"}, {"x", "y/z"}, {"x%2Fy", "z"}, {"", "x/y/z"}, {"%00", "z"}, {nil, "z"}, {"z", nil}, {"x/", "/z"}, {"x//", "z"}}
	table.Insert(rows...)
	for _, fields := range []map[string]any{{"primary_key_columns": []string{"A", "B"}}, {}} {
		src := open(t, srv, settings(fields))
		all, _ := follow(t, src, items, nil)
		if len(all) != len(rows) {
			t.Errorf("%d rows of %d", len(all), len(rows))
		}
		for _, c := range all {
			if c.Item.Skip != "" || read(t, src, c.Item) != string(c.Item.Inline) {
				t.Errorf("%q leads to another row", c.Item.ID)
			}
		}
	}
}

func TestRowsThatAreTooLargeAreReported(t *testing.T) {
	srv := start(t, emulator.Options{})
	table := srv.Table(items, []emulator.Column{{Name: "ID", Type: emulator.Number}, {Name: "V", Type: emulator.Varchar}})
	table.Insert(emulator.Row{1, "small"}, emulator.Row{2, strings.Repeat("x", driver.MaxInline)}, emulator.Row{3, "after"})
	all, _ := follow(t, open(t, srv, settings(map[string]any{"primary_key_columns": []string{"ID"}})), items, nil)
	if len(all) != 3 || all[1].Item.Skip != "row_too_large" || all[1].Item.Inline != nil || all[1].Item.Size <= driver.MaxInline || all[2].Item.Skip != "" {
		t.Errorf("%d items", len(all))
	}
}

func TestPagesAreBoundedInBytes(t *testing.T) {
	srv := start(t, emulator.Options{ChunkRows: 10})
	table := srv.Table(items, []emulator.Column{{Name: "ID", Type: emulator.Number}, {Name: "V", Type: emulator.Varchar}})
	for i := range 30 {
		table.Insert(emulator.Row{i, strings.Repeat("x", 900_000)})
	}
	src := open(t, srv, settings(map[string]any{"primary_key_columns": []string{"ID"}}))
	p, err := src.Changes(t.Context(), driver.Scope{Path: items}, nil)
	must(t, err)
	if !p.More || len(p.Changes) > 10 {
		t.Errorf("%d rows of 900 kB on a page", len(p.Changes))
	}
	rest, _ := follow(t, src, items, p.Next)
	if len(rest)+len(p.Changes) != 30 {
		t.Errorf("%d rows", len(rest)+len(p.Changes))
	}
}

func TestDuplicateKeysAreAnError(t *testing.T) {
	for _, fetch := range []int64{1, 2, 100} {
		srv := start(t, emulator.Options{})
		table := events(srv, emulator.TimestampNTZ)
		table.Insert(emulator.Row{1, instants[0], "a"}, emulator.Row{2, instants[1], "b"}, emulator.Row{2, instants[2], "c"}, emulator.Row{3, instants[0], "d"})
		for _, fields := range []map[string]any{incremental, {"primary_key_columns": []string{"ID"}}} {
			fields = settings(fields).Fields
			fields["fetch_size"] = fetch
			src := open(t, srv, settings(fields))
			var err error
			for cur := driver.Cursor(nil); err == nil; {
				var p driver.Page
				if p, err = src.Changes(t.Context(), driver.Scope{Path: items}, cur); err == nil && !p.More {
					t.Fatal("two rows of one key were read")
				}
				cur = p.Next
				_ = src.Close() // the next page by another process
				src = open(t, srv, settings(fields))
			}
			if e := kind(t, err, errs.Invalid, errs.ScopePath); e.Code != "DuplicateKey" {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestDuplicatesInTheWindowAreAnError(t *testing.T) {
	srv := start(t, emulator.Options{})
	table := events(srv, emulator.TimestampNTZ)
	src := open(t, srv, settings(incremental))
	_, last := follow(t, src, items, nil)
	table.Insert(emulator.Row{2, instants[1], "b"}, emulator.Row{3, instants[2], "x"}, emulator.Row{2, instants[0], "c"})
	_, err := src.Changes(t.Context(), driver.Scope{Path: items}, last.Next)
	kind(t, err, errs.Invalid, errs.ScopePath)
}

func TestRowsThatAreTheSameAreReported(t *testing.T) {
	srv := start(t, emulator.Options{})
	table := srv.Table(items, []emulator.Column{{Name: "V", Type: emulator.Varchar}})
	for range 12 {
		table.Insert(emulator.Row{"same"})
	}
	table.Insert(emulator.Row{"other"})
	all, _ := follow(t, open(t, srv, settings(nil)), items, nil)
	skipped, last := 0, ""
	for _, c := range all {
		if c.Item.Skip == "duplicate_row" {
			skipped++
		}
		if c.Item.ID <= last {
			t.Errorf("%q after %q", c.Item.ID, last)
		}
		last = c.Item.ID
	}
	if len(all) != 13 || skipped != 11 {
		t.Errorf("%d items, %d of them reported as duplicates", len(all), skipped)
	}
}

func TestModificationTimeIsTheWatermark(t *testing.T) {
	srv := start(t, emulator.Options{})
	events(srv, emulator.TimestampTZ).Insert(emulator.Row{1, "2026-01-02 03:04:05.123456789 +0200", "a"})
	it := one(t, open(t, srv, settings(incremental)))
	if want := time.Date(2026, 1, 2, 1, 4, 5, 123456789, time.UTC); !it.ModifiedAt.Equal(want) {
		t.Errorf("%v", it.ModifiedAt)
	}
}
