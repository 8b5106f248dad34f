package snowflake_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// wide is a table of an id, a watermark and more columns, filled anew.
func wide(srv *emulator.Server, rows int, names ...string) {
	columns := []emulator.Column{{Name: "ID", Type: emulator.Number}, {Name: "AT", Type: emulator.TimestampNTZ}}
	for _, n := range names {
		columns = append(columns, emulator.Column{Name: n, Type: emulator.Varchar})
	}
	table := srv.Table(items, columns)
	for i := range rows {
		row := emulator.Row{i, instants[i%len(instants)]}
		for range names {
			row = append(row, "v")
		}
		table.Insert(row)
	}
}

// A column that comes or goes while a table is read: what is read in the end is
// the table as it is, by a snapshot, and by a feed, whose watermarks tell nothing.
func TestColumnsThatComeAndGo(t *testing.T) {
	for name, after := range map[string][]string{"dropped": {"A"}, "added": {"A", "B", "C"}, "renamed": {"A", "D"}} {
		for kind, fields := range map[string]map[string]any{"snapshot": keyed, "feed": incremental} {
			t.Run(name+" "+kind, func(t *testing.T) {
				srv := start(t, emulator.Options{})
				wide(srv, 30, "A", "B")
				fields := settings(fields)
				fields.Fields["fetch_size"] = int64(10)
				src := open(t, srv, fields) // remembers the columns
				p, err := src.Changes(t.Context(), driver.Scope{Path: items}, nil)
				must(t, err)
				_ = read(t, src, p.Changes[0].Item)
				wide(srv, 30, after...)
				if _, err := src.Stat(t.Context(), driver.Scope{Path: items}, p.Changes[0].Item.ID); err != nil {
					t.Errorf("looking at a row: %v", err)
				}
				got := map[string]string{}
				// This pass may end or be begun anew; the next has the table.
				for cur, passes := p.Next, 0; passes < 2; {
					p, err := src.Changes(t.Context(), driver.Scope{Path: items}, cur)
					if errs.Is(err, errs.CursorExpired) {
						cur = nil
						continue
					}
					must(t, err)
					for _, c := range p.Changes {
						got[c.Item.ID] = string(c.Item.Inline)
					}
					if cur = p.Next; !p.More {
						passes++
						src = open(t, srv, fields) // another process
						if !p.Feed {
							cur = nil
						}
					}
				}
				for id, content := range got {
					for _, c := range []string{"A", "B", "C", "D"} {
						if strings.Contains(content, `"`+c+`":`) != slices.Contains(after, c) {
							t.Fatalf("%s is %s", id, content)
						}
					}
				}
				if len(got) != 30 {
					t.Errorf("%d rows", len(got))
				}
			})
		}
	}
}

// A feed that waits learns of new columns with the next change.
func TestAFeedReadsAnewWhenColumnsChange(t *testing.T) {
	srv := start(t, emulator.Options{})
	wide(srv, 3, "A")
	_, last := follow(t, open(t, srv, settings(incremental)), items, nil)
	wide(srv, 3, "A", "B")
	_, err := open(t, srv, settings(incremental)).Changes(t.Context(), driver.Scope{Path: items}, last.Next)
	kind(t, err, errs.CursorExpired, errs.ScopePath)
}

func TestTypesThatCanBeNoWatermark(t *testing.T) {
	for _, typ := range []emulator.Type{emulator.Variant, emulator.Object, emulator.Array, emulator.Binary, emulator.Boolean, emulator.Float, emulator.DecFloat, emulator.Time, emulator.Geography} {
		srv := start(t, emulator.Options{})
		events(srv, typ)
		src := open(t, srv, settings(incremental))
		_, err := src.Check(t.Context(), items)
		if e := kind(t, err, errs.Invalid, errs.ScopePath); !strings.Contains(e.Msg, "incremental_column must be a timestamp") {
			t.Errorf("%s: %v", typ, err)
		}
		_, err = src.Changes(t.Context(), driver.Scope{Path: items}, nil)
		kind(t, err, errs.Invalid, errs.ScopePath)
	}
}

// Each type as the only key: values that differ are different ids, also those
// that compare as equal, and each leads back to its row.
func TestEachTypeAsKey(t *testing.T) {
	for _, c := range []struct {
		column emulator.Column
		values []any
	}{
		{emulator.Column{Type: emulator.Boolean}, []any{true, false, nil}},
		{emulator.Column{Type: emulator.Number, Precision: 38, Scale: 10}, []any{"0", "-0.0000000001", "1.5", "9999999999999999999999999999.9999999999", nil}},
		{emulator.Column{Type: emulator.DecFloat}, []any{"0", "1e-20", "12345678901234567890123456789012345678", nil}},
		{emulator.Column{Type: emulator.Date}, []any{"0001-01-01", "1969-12-31", "2026-02-28", "9999-12-31", nil}},
		{emulator.Column{Type: emulator.Time}, []any{"00:00:00", "00:00:00.000000001", "23:59:59.999999999", nil}},
		{emulator.Column{Type: emulator.TimestampNTZ}, []any{"0001-01-01 00:00:00", "1969-12-31 23:59:59.999999999", "2026-03-29 02:30:00", nil}},
		{emulator.Column{Type: emulator.TimestampLTZ}, []any{"2026-11-01 01:30:00 -0700", "2026-11-01 01:30:00 -0800", nil}},
		{emulator.Column{Type: emulator.TimestampTZ}, []any{"2026-01-01 12:00:00 +0000", "2026-01-01 13:00:00 +0100", "2026-01-01 06:30:00 -0530", nil}},
		{emulator.Column{Type: emulator.Binary}, []any{[]byte{}, []byte{0}, []byte{0, 0}, []byte("a"), []byte("A"), []byte{0xff}, nil}},
		{emulator.Column{Type: emulator.Varchar}, []any{"a", "A", "a ", "", "é", "e\u0301", "\x00", "%00", "%2500", ".", "..", nil}},
		{emulator.Column{Type: emulator.Variant}, []any{`1`, `"1"`, `true`, `null`, `{}`, `[]`, nil}},
	} {
		t.Run(string(c.column.Type), func(t *testing.T) {
			srv := start(t, emulator.Options{Timezone: "America/Los_Angeles"})
			c.column.Name, c.column.Nullable = "K", true
			table := srv.Table(items, []emulator.Column{c.column, {Name: "N", Type: emulator.Number}})
			for i, v := range c.values {
				table.Insert(emulator.Row{v, i})
			}
			fields := settings(map[string]any{"primary_key_columns": []string{"k"}})
			fields.Fields["fetch_size"] = int64(1)
			var cur driver.Cursor
			ids, last := 0, ""
			for more := true; more; { // each page by another process
				src := open(t, srv, fields)
				p, err := src.Changes(t.Context(), driver.Scope{Path: items}, cur)
				must(t, err)
				for _, ch := range p.Changes {
					if ch.Item.ID <= last || read(t, src, ch.Item) != string(ch.Item.Inline) {
						t.Errorf("%q after %q, or it leads to another row", ch.Item.ID, last)
					}
					last = ch.Item.ID
					ids++
				}
				cur, more = p.Next, p.More
				must(t, src.Close())
			}
			if ids != len(c.values) {
				t.Errorf("%d ids of %d values", ids, len(c.values))
			}
		})
	}
	srv := start(t, emulator.Options{})
	srv.Table(items, []emulator.Column{{Name: "K", Type: emulator.Float}}).Insert(emulator.Row{"NaN"}, emulator.Row{"-0"}, emulator.Row{"inf"})
	_, err := open(t, srv, settings(map[string]any{"primary_key_columns": []string{"K"}})).Check(t.Context(), items)
	if e := kind(t, err, errs.Invalid, errs.ScopePath); !strings.Contains(e.Msg, "FLOAT") {
		t.Errorf("%v", err)
	}
	all, _ := follow(t, open(t, srv, settings(nil)), items, nil) // by the hash of the row they are rows
	for _, c := range all {
		if c.Item.Skip != "" {
			t.Errorf("%s: %s", c.Item.ID, c.Item.Skip)
		}
	}
}

// Local times go back by an hour in autumn; an overlap of more than that hour
// finds what was written in it.
func TestLocalTimesInAutumn(t *testing.T) {
	srv := start(t, emulator.Options{})
	table := events(srv, emulator.TimestampNTZ)
	table.Insert(emulator.Row{1, "2025-11-02 01:59:59", "before"})
	fields := maps.Clone(incremental)
	fields["incremental_overlap_seconds"] = int64(3600 + 900)
	src := open(t, srv, settings(fields))
	_, last := follow(t, src, items, nil)
	table.Insert(emulator.Row{2, "2025-11-02 01:00:00", "after"})
	news, _ := follow(t, src, items, last.Next)
	if len(news) != 2 {
		t.Errorf("%d rows", len(news))
	}
}

// Whose clock is ahead, the server's or ours, by less than the overlap or more:
// no row is missed.
func TestClocksThatDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{-48 * time.Hour, -10 * time.Minute, 0, 10 * time.Minute, 48 * time.Hour} {
		srv := start(t, emulator.Options{})
		table := events(srv, emulator.TimestampLTZ)
		server := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
		o := options(t, srv)
		o.Now = func() time.Time { return server.Add(ahead) }
		src, err := openWith(t, settings(incremental), o)
		must(t, err)
		m := newMirror()
		var cur driver.Cursor
		for i := range 6 {
			table.Insert(emulator.Row{2 * i, server.Format("2006-01-02 15:04:05 -0700"), "a"})
			late := server.Add(-14 * time.Minute)
			table.Insert(emulator.Row{2*i + 1, late.Format("2006-01-02 15:04:05 -0700"), "late"})
			news, last := follow(t, src, items, cur)
			m.take(t, news)
			cur = last.Next
			server = server.Add(20 * time.Minute)
		}
		if len(m.versions) != 12 {
			t.Errorf("ours is ahead by %v: %d of 12 rows", ahead, len(m.versions))
		}
	}
}

// Rows of a thousand columns, and cells of 16 MB.
func TestWideRows(t *testing.T) {
	srv := start(t, emulator.Options{ChunkRows: 5})
	columns := []emulator.Column{{Name: "ID", Type: emulator.Number}}
	row := func(id int) emulator.Row {
		r := emulator.Row{id}
		for i := range 1000 {
			r = append(r, fmt.Sprint("value ", i))
		}
		return r
	}
	for i := range 1000 {
		columns = append(columns, emulator.Column{Name: fmt.Sprint("C", i), Type: emulator.Varchar})
	}
	table := srv.Table(items, columns)
	for i := range 12 {
		table.Insert(row(i))
	}
	src := open(t, srv, settings(nil)) // the key is a hash of all columns
	all, _ := follow(t, src, items, nil)
	if len(all) != 12 || len(all[0].Item.Columns) != 1001 || read(t, src, all[3].Item) != string(all[3].Item.Inline) {
		t.Fatalf("%d rows", len(all))
	}

	big := srv.Table("DB.PUBLIC.BIG", []emulator.Column{{Name: "ID", Type: emulator.Number}, {Name: "V", Type: emulator.Variant}})
	huge := `"` + base64.StdEncoding.EncodeToString(make([]byte, 12<<20)) + `"`
	for i := range 2 {
		big.Insert(emulator.Row{i, huge}, emulator.Row{i + 10, `1`})
	}
	fields := settings(keyed)
	all, _ = follow(t, open(t, srv, fields), "DB.PUBLIC.BIG", nil)
	skipped := 0
	for _, c := range all {
		if c.Item.Skip == "row_too_large" && c.Item.Inline == nil && c.Item.Columns == nil && c.Item.Size > 16<<20 {
			skipped++
		}
	}
	if len(all) != 4 || skipped != 2 {
		t.Errorf("%d rows, %d too large", len(all), skipped)
	}
}
