package snowflake_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// mirror is what a consumer makes of a source: versions by id.
type mirror struct {
	versions  map[string]string
	delivered map[string]int // by id and version, as often as it was news
}

func newMirror() *mirror {
	return &mirror{versions: map[string]string{}, delivered: map[string]int{}}
}

// take applies changes as the engine does: the version decides what is news.
func (m *mirror) take(t interface{ Fatalf(string, ...any) }, changes []driver.Change) {
	inPass := map[string]bool{}
	for _, c := range changes {
		it := c.Item
		if c.Gone || it.Skip != "" {
			t.Fatalf("unexpected %+v", c)
		}
		if inPass[it.ID+it.Version] {
			t.Fatalf("%s is told twice in one pass", it.ID)
		}
		inPass[it.ID+it.Version] = true
		if m.versions[it.ID] != it.Version {
			m.versions[it.ID] = it.Version
			m.delivered[it.ID+" "+it.Version]++
		}
	}
}

// events is a table with a watermark of every kind that matters.
func events(srv *emulator.Server, typ emulator.Type) *emulator.Table {
	return srv.Table(items, []emulator.Column{
		{Name: "ID", Type: emulator.Number, Precision: 38},
		{Name: "AT", Type: typ, Nullable: true},
		{Name: "V", Type: emulator.Varchar, Nullable: true},
	})
}

var incremental = map[string]any{
	"primary_key_columns": []string{"id"}, "incremental_column": "at", "incremental_overlap_seconds": int64(900), "fetch_size": int64(100),
}

// instants are close to each other, equal, and before 1970, so that rounding and
// ties would show.
var instants = []string{
	"2026-03-01 10:00:00.123456789", "2026-03-01 10:00:00.123456999", "2026-03-01 10:00:00.123456000", "2026-03-01 10:00:00.000000000",
	"2026-03-01 09:59:59.999999999", "1969-12-31 23:59:58.500000001", "2026-03-01 10:00:00.123456788",
}

// TestNothingIsLostOrToldTwice drives a table through inserts with ties, updates
// between pages, rows without a watermark, and transactions that become visible
// behind what has been read; after each pass what was delivered is the table.
func TestNothingIsLostOrToldTwice(t *testing.T) {
	for _, typ := range []emulator.Type{emulator.TimestampNTZ, emulator.TimestampLTZ, emulator.TimestampTZ} {
		t.Run(string(typ), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				srv := start(t, emulator.Options{Timezone: "America/Los_Angeles", ChunkRows: rapid.SampledFrom([]int{2, 1000}).Draw(rt, "chunk")})
				defer srv.Close()
				table := events(srv, typ)
				clock := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
				newest := func() string { // each change's watermark is at least that of all before, less the overlap
					clock = clock.Add(time.Duration(rapid.SampledFrom([]int64{0, 1, 111, 222, 20 * 60 * 1e9}).Draw(rt, "step")))
					return clock.Format("2006-01-02 15:04:05.000000000") + zone(typ)
				}
				next := 0
				insert := func(at any) emulator.Row {
					next++
					return emulator.Row{next, at, fmt.Sprint("row ", next)}
				}
				for range rapid.IntRange(0, 12).Draw(rt, "before") {
					at := any(rapid.SampledFrom(instants).Draw(rt, "at") + zone(typ))
					if rapid.IntRange(0, 5).Draw(rt, "null") == 0 {
						at = nil
					}
					table.Insert(insert(at))
				}
				change := func() {
					switch rapid.IntRange(0, 4).Draw(rt, "change") {
					case 0, 1:
						table.Insert(insert(newest()))
					case 2:
						table.Insert(insert(nil))
					case 3:
						id := fmt.Sprint(rapid.IntRange(1, next+1).Draw(rt, "id"))
						table.Update(func(r emulator.Record) bool { return r["ID"] == id }, map[string]any{"AT": newest(), "V": fmt.Sprint("at ", clock.UnixNano())})
					case 4: // committed late, with a watermark of its beginning
						late := clock.Add(-time.Duration(rapid.IntRange(0, 899).Draw(rt, "late")) * time.Second)
						table.Insert(insert(late.Format("2006-01-02 15:04:05.000000000") + zone(typ)))
					}
				}
				m := newMirror()
				var cur driver.Cursor
				fields := maps.Clone(incremental)
				pageRows := rapid.IntRange(1, 5).Draw(rt, "page")
				fields["fetch_size"] = int64(pageRows)
				for range rapid.IntRange(1, 4).Draw(rt, "passes") {
					// A pass in which other processes go on, and the table changes.
					var pass []driver.Change
					src := open(t, srv, settings(fields))
					for {
						p, err := src.Changes(t.Context(), driver.Scope{Path: items}, cur)
						if err != nil {
							rt.Fatalf("%v", err)
						}
						pass = append(pass, p.Changes...)
						if cur = p.Next; !p.More {
							break
						}
						if rapid.IntRange(0, 2).Draw(rt, "meanwhile") == 0 {
							change()
						}
						if rapid.Bool().Draw(rt, "killed") {
							_ = src.Close()
							src = open(t, srv, settings(fields))
						}
					}
					_ = src.Close()
					m.take(rt, pass)
					change()
				}
				src := open(t, srv, settings(fields))
				defer src.Close()
				for range 2 { // the second has what changed during the first: nothing
					var pass []driver.Change
					pass, last := follow(t, src, items, cur)
					m.take(rt, pass)
					cur = last.Next
				}
				same(rt, m, full(t, srv), table)
				for what, n := range m.delivered {
					if n != 1 {
						rt.Fatalf("%s was news %d times", what, n)
					}
				}
			})
		})
	}
}

func zone(typ emulator.Type) string {
	if typ == emulator.TimestampNTZ {
		return ""
	}
	return " +0000"
}

// full reads the whole table without a watermark.
func full(t testing.TB, srv *emulator.Server) map[string]string {
	t.Helper()
	src := open(t, srv, settings(map[string]any{"primary_key_columns": []string{"ID"}}))
	defer src.Close()
	all, _ := follow(t, src, items, nil)
	out := map[string]string{}
	for _, c := range all {
		out[c.Item.ID] = c.Item.Version
	}
	return out
}

func same(t interface{ Fatalf(string, ...any) }, m *mirror, want map[string]string, table *emulator.Table) {
	if n := len(table.Rows()); n != len(want) {
		t.Fatalf("the table has %d rows, %d are read", n, len(want))
	}
	for id, v := range want {
		if m.versions[id] != v {
			t.Fatalf("%s was delivered as %q and is %q", id, m.versions[id], v)
		}
	}
	for id := range m.versions {
		if _, ok := want[id]; !ok {
			t.Fatalf("%s is not in the table", id)
		}
	}
}

func TestAnEmptyRunNeedsNoWarehouse(t *testing.T) {
	srv := start(t, emulator.Options{})
	table := events(srv, emulator.TimestampNTZ)
	table.Insert(emulator.Row{1, instants[0], "a"}, emulator.Row{2, nil, "b"})
	srv.View("DB.PUBLIC.VIEWED", table)
	for _, path := range []string{items, "DB.PUBLIC.VIEWED"} {
		first := open(t, srv, settings(incremental))
		all, last := follow(t, first, path, nil)
		if len(all) != 2 || !last.Feed || !last.Snapshot || last.Ordered {
			t.Fatalf("%d changes, %+v", len(all), last)
		}
		// The enumeration began after the last change, so that nothing is new.
		srv.ResetRequests()
		src := open(t, srv, settings(incremental))
		news, end := follow(t, src, path, last.Next)
		if len(news) != 0 || end.Snapshot || !end.Feed || string(end.Next) != string(last.Next) {
			t.Errorf("%d changes, %+v", len(news), end)
		}
		must(t, src.Close())
		if n := srv.WarehouseStatements(); n != 0 || srv.Count() > 3 { // login, token, logout
			t.Errorf("%s: %d statements needed a warehouse, %d requests: %q", path, n, srv.Count(), srv.Statements())
		}
	}
}

// Rows without a watermark are delivered by each pass that reads, and noted.
func TestRowsWithoutAWatermarkAreNoted(t *testing.T) {
	srv := start(t, emulator.Options{})
	table := events(srv, emulator.TimestampNTZ)
	table.Insert(emulator.Row{1, instants[0], "a"}, emulator.Row{2, nil, "b"}, emulator.Row{3, nil, strings.Repeat("x", driver.MaxInline)})
	src := open(t, srv, settings(incremental))
	noted := func(cur driver.Cursor) (driver.Cursor, string) {
		all, last := follow(t, src, items, cur)
		var got []string
		for _, c := range all {
			if c.Item.Note == "null_watermark" {
				got = append(got, c.Item.Name)
			} else if c.Item.Note != "" {
				t.Errorf("%s is noted as %q", c.Item.Name, c.Item.Note)
			}
		}
		return last.Next, strings.Join(got, " ")
	}
	cur, first := noted(nil)
	table.Insert(emulator.Row{4, nil, "c"}, emulator.Row{5, instants[1], "d"})
	if _, second := noted(cur); first != "2.json 3.json" || second != "2.json 3.json 4.json" {
		t.Errorf("noted %q, then %q", first, second)
	}
}

func TestAWatermarkInTheFutureHidesNothing(t *testing.T) {
	srv := start(t, emulator.Options{})
	table := events(srv, emulator.TimestampNTZ)
	table.Insert(emulator.Row{1, "2999-01-01 00:00:00", "mistaken"})
	src := open(t, srv, settings(incremental))
	_, last := follow(t, src, items, nil)
	table.Insert(emulator.Row{2, time.Now().UTC().Format("2006-01-02 15:04:05.000000000"), "new"})
	news, _ := follow(t, src, items, last.Next)
	if len(news) != 2 { // the mistaken one again, as long as it lies ahead
		t.Errorf("%d changes", len(news))
	}
}

func TestATableFilledAnewIsReadAnew(t *testing.T) {
	srv := start(t, emulator.Options{})
	table := events(srv, emulator.TimestampNTZ)
	table.Insert(emulator.Row{1, "2026-01-01 00:00:00", "old"})
	src := open(t, srv, settings(incremental))
	_, last := follow(t, src, items, nil)
	table.Delete(func(emulator.Record) bool { return true })
	table.Insert(emulator.Row{1, "2020-01-01 00:00:00", "reloaded"})
	_, err := src.Changes(t.Context(), driver.Scope{Path: items}, last.Next)
	kind(t, err, errs.CursorExpired, errs.ScopePath)
}

func TestACursorOfOtherColumnsIsDead(t *testing.T) {
	srv := start(t, emulator.Options{})
	events(srv, emulator.TimestampNTZ).Insert(emulator.Row{1, instants[0], "a"})
	_, last := follow(t, open(t, srv, settings(incremental)), items, nil)
	for name, fields := range map[string]map[string]any{
		"no watermark":      {"primary_key_columns": []string{"ID"}},
		"another key":       {"primary_key_columns": []string{"V"}, "incremental_column": "AT"},
		"another watermark": {"primary_key_columns": []string{"ID"}, "incremental_column": "ID"},
	} {
		_, err := open(t, srv, settings(fields)).Changes(t.Context(), driver.Scope{Path: items}, last.Next)
		if !errs.Is(err, errs.CursorExpired) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNumbersDatesAndTextsAsWatermarks(t *testing.T) {
	for name, c := range map[string]struct {
		column        emulator.Column
		first, second any
	}{
		"NUMBER":  {emulator.Column{Name: "AT", Type: emulator.Number, Precision: 38}, "12345678901234567890123456789012345678", "12345678901234567890123456789012345679"},
		"decimal": {emulator.Column{Name: "AT", Type: emulator.Number, Precision: 20, Scale: 4}, "9.5", "10.0001"},
		"DATE":    {emulator.Column{Name: "AT", Type: emulator.Date}, "1969-12-31", "2026-01-01"},
		"VARCHAR": {emulator.Column{Name: "AT", Type: emulator.Varchar}, "a'; DROP TABLE", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, emulator.Options{})
			table := srv.Table(items, []emulator.Column{{Name: "ID", Type: emulator.Number}, c.column})
			table.Insert(emulator.Row{1, c.first})
			src := open(t, srv, settings(incremental))
			_, last := follow(t, src, items, nil)
			table.Insert(emulator.Row{2, c.second}, emulator.Row{3, c.first})
			news, end := follow(t, src, items, last.Next)
			var ids []string
			for _, c := range news {
				ids = append(ids, c.Item.ID)
			}
			if got := strings.Join(ids, " "); got != items+"/1 "+items+"/3 "+items+"/2" {
				t.Errorf("read %s", got)
			}
			if again, _ := follow(t, src, items, end.Next); len(again) != 0 {
				t.Errorf("%d changes where there are none", len(again))
			}
		})
	}
}
