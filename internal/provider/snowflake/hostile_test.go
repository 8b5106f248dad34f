package snowflake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

func TestNamesThatNeedCare(t *testing.T) {
	srv := start(t, emulator.Options{})
	for _, name := range []string{
		`a""b`, `a.b`, `\`, `\'`, `'; DROP TABLE X; --`, `a/b`, `?`, `%`, strings.Repeat("ü", 255), "日本 語", "a\tb\nc", "$1", `{{x}}`, "INFORMATION_SCHEMA",
	} {
		path := `DB.PUBLIC."` + name + `"`
		srv.Table(path, []emulator.Column{{Name: strings.ReplaceAll(name, `""`, `"`), Type: emulator.Varchar}}).Insert(emulator.Row{"x"})
		src := open(t, srv, settings(map[string]any{"primary_key_columns": []string{`"` + name + `"`}, "incremental_column": `"` + name + `"`}))
		_, err := src.Check(t.Context(), path)
		must(t, err)
		all, last := follow(t, src, path, nil)
		if len(all) != 1 || all[0].Item.ID[strings.LastIndexByte(all[0].Item.ID, '/'):] != "/x" || read(t, src, all[0].Item) != string(all[0].Item.Inline) {
			t.Errorf("%s: %+v", name, all)
		}
		if news, _ := follow(t, src, path, last.Next); len(news) != 0 {
			t.Errorf("%s: %d changes", name, len(news))
		}
	}
	// By any page and any size, each is listed once, and leads back.
	src := open(t, srv, settings(nil))
	for _, limit := range []int{1, 5} {
		n := 0
		for page := ""; ; n++ {
			l, err := src.Browse(t.Context(), "DB.PUBLIC", page, limit)
			must(t, err)
			for _, it := range l.Items {
				_, err := src.Browse(t.Context(), it.Path, "", 10)
				must(t, err)
			}
			if page = l.Next; page == "" {
				break
			}
		}
		if want := (14 - 1) / limit; n != want {
			t.Errorf("%d pages of %d", n+1, limit)
		}
	}
	_, err := src.Browse(t.Context(), "", `\'; DROP TABLE X; --`, 10)
	must(t, err)
}

// Unquoted names fold by ASCII: other letters that fold to it name nothing.
func TestNamesThatLookAlike(t *testing.T) {
	srv := table(t, emulator.Options{}, 1)
	src := open(t, srv, settings(keyed))
	n := srv.Count()
	for _, path := range []string{"DB.PUBLIC.\u0131tems", "DB.PUBLIC.item\u017f", "DB.PUBLIC.\"a\xff\"", "DB.\uff30UBLIC.ITEMS", "DB.PUBLIC.ITEMS\u200b", "DB.PUBLIC. ITEMS", `"` + strings.Repeat("ü", 256) + `"`, strings.Repeat("a", 256)} {
		_, err := src.Changes(t.Context(), driver.Scope{Path: path}, nil)
		kind(t, err, errs.Invalid, errs.ScopePath)
		if _, err := src.Browse(t.Context(), path, "", 10); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if srv.Count() != n {
		t.Error("a path that is none was asked about")
	}
}

func TestConfiguredNamesAreNeverSQL(t *testing.T) {
	srv := table(t, emulator.Options{}, 1)
	for _, text := range []string{`ITEMS"; DROP TABLE X; --`, `A.B`, `"`, `"A`, `A"B"`, "A B", "A;", "A\x00", "\"\x00\"", `""`, "1A"} {
		for _, field := range []string{"database", "schema", "warehouse"} {
			if _, err := openWith(t, settings(map[string]any{field: text}), options(t, srv)); !errs.Is(err, errs.Invalid) {
				t.Errorf("%s %q: %v", field, text, err)
			}
		}
		for _, field := range []string{"primary_key_columns", "incremental_column"} {
			value := any(text)
			if field == "primary_key_columns" {
				value = []string{text}
			}
			_, err := open(t, srv, settings(map[string]any{field: value})).Changes(t.Context(), driver.Scope{Path: items}, nil)
			kind(t, err, errs.Invalid, errs.ScopePath)
		}
	}
	for _, st := range srv.Statements() {
		if strings.Contains(st, "DROP") {
			t.Errorf("%s", st)
		}
	}
}

// Snowflake's own schema is in each database and holds nothing to sync.
func TestBrowsingLeavesOutSnowflakesOwn(t *testing.T) {
	srv := start(t, emulator.Options{})
	for _, name := range []string{"DB.A.T", "DB.INFORMATION_SCHEMA.TABLES", `DB."information_schema".T`, "DB.PUBLIC.T"} {
		srv.Table(name, []emulator.Column{{Name: "ID", Type: emulator.Number}})
	}
	src := open(t, srv, settings(nil))
	for _, limit := range []int{1, 2, 100} {
		var got []string
		for page := ""; ; {
			l, err := src.Browse(t.Context(), "DB", page, limit)
			must(t, err)
			for _, it := range l.Items {
				got = append(got, it.Path)
			}
			if page = l.Next; page == "" {
				break
			}
		}
		if fmt.Sprint(got) != `[DB.A DB.PUBLIC DB."information_schema"]` {
			t.Errorf("by %d: %s", limit, got)
		}
	}
}

// A source that is closed leaves no session behind, whatever it was doing.
func TestClosingLogsOut(t *testing.T) {
	srv := table(t, emulator.Options{ChunkRows: 10}, 500)
	fields := settings(keyed)
	fields.Fields["fetch_size"] = int64(20)
	for name, use := range map[string]func(driver.Source){
		"nothing": func(driver.Source) {},
		"a page of many": func(src driver.Source) {
			_, err := src.Changes(t.Context(), driver.Scope{Path: items}, nil)
			must(t, err)
		},
		"everything": func(src driver.Source) {
			all, _ := follow(t, src, items, nil)
			_ = read(t, src, all[7].Item)
			_, err := src.Check(t.Context(), items)
			must(t, err)
			_, err = src.Browse(t.Context(), "", "", 5)
			must(t, err)
		},
		"failures": func(src driver.Source) {
			srv.Inject(emulator.Fault{Match: emulator.On(emulator.Query), Times: 2, Action: emulator.EndSession()})
			_, _ = src.Changes(t.Context(), driver.Scope{Path: items}, nil)
			_, _ = src.Changes(t.Context(), driver.Scope{Path: "DB.NO.SUCH"}, nil)
		},
		"many scans": func(src driver.Source) {
			for range 12 {
				_, err := src.Changes(t.Context(), driver.Scope{Path: items}, nil)
				must(t, err)
			}
		},
	} {
		src := open(t, srv, fields)
		use(src)
		must(t, src.Close())
		if !waitFor(t, func() bool { return srv.Sessions() == 0 }) {
			t.Errorf("%s: %d sessions are left", name, srv.Sessions())
		}
	}
}

// Stopped at each of its requests, a pass ends at once as canceled, goes on from
// its last cursor, and leaves no session.
func TestStoppingAnywhere(t *testing.T) {
	srv := start(t, emulator.Options{ChunkRows: 10})
	table := events(srv, emulator.TimestampNTZ)
	for i := range 60 {
		table.Insert(emulator.Row{i, instants[i%len(instants)], fmt.Sprint(i)})
	}
	fields := settings(incremental)
	fields.Fields["fetch_size"] = int64(20)
	stopped := 0
	for at := 1; at < 20; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		fault := srv.Inject(emulator.Fault{
			Match:  emulator.Match{Operations: []emulator.Operation{emulator.Login, emulator.Query, emulator.Chunk}, If: stopAt(at, cancel)},
			Action: emulator.Pending(0),
		})
		src := open(t, srv, fields)
		var cur driver.Cursor
		rows := 0
		for more := true; more; {
			p, err := src.Changes(ctx, driver.Scope{Path: items}, cur)
			if err != nil {
				if !errs.Is(err, errs.Canceled) || !errors.Is(ctx.Err(), context.Canceled) {
					t.Fatalf("at request %d: %v", at, err)
				}
				stopped++
				fault.Remove()
				ctx = t.Context()
				continue
			}
			rows += len(p.Changes)
			cur, more = p.Next, p.More
		}
		fault.Remove()
		cancel()
		must(t, src.Close())
		if rows != 60 {
			t.Errorf("at request %d: %d rows", at, rows)
		}
		if !waitFor(t, func() bool { return srv.Sessions() == 0 }) {
			t.Errorf("at request %d: %d sessions are left", at, srv.Sessions())
		}
	}
	if stopped < 5 {
		t.Errorf("stopped %d times", stopped)
	}
}

// stopAt calls stop when a request is the nth.
func stopAt(n int, stop func()) func(emulator.Request) bool {
	met := make(chan struct{}, n)
	return func(emulator.Request) bool {
		select {
		case met <- struct{}{}:
		default:
			return false
		}
		if len(met) == n {
			stop()
		}
		return false
	}
}
