//go:build interop

package snowflake

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

const (
	table = "DB.PUBLIC.ITEMS"
	rows  = 321
)

// create makes the same table in fakesnow and in the emulator, and returns their
// addresses by name.
func create(t *testing.T) map[string]string {
	t.Helper()
	srv := emulator.Start(t)
	srv.User("mooring", password)
	srv.Warehouse("WH")
	items := srv.Table(table, []emulator.Column{
		{Name: "ID", Type: emulator.Number},
		{Name: "NAME", Type: emulator.Varchar, Nullable: true},
		{Name: "PRICE", Type: emulator.Number, Precision: 10, Scale: 2, Nullable: true},
		{Name: "GOOD", Type: emulator.Boolean, Nullable: true},
		{Name: "DAY", Type: emulator.Date, Nullable: true},
		{Name: "MORE", Type: emulator.Variant, Nullable: true},
		{Name: "RAW", Type: emulator.Binary, Nullable: true},
		{Name: "F", Type: emulator.Float, Nullable: true},
	})
	statements := []string{`CREATE TABLE ` + table + ` (ID NUMBER(38,0), NAME VARCHAR, PRICE NUMBER(10,2), GOOD BOOLEAN, DAY DATE, MORE VARIANT, RAW BINARY, F FLOAT)`}
	var values []string
	flush := func() {
		if len(values) > 0 {
			statements = append(statements, `INSERT INTO `+table+` `+strings.Join(values, " UNION ALL "))
		}
		values = nil
	}
	for i := range rows {
		if i%7 == 0 {
			items.Insert(emulator.Row{i, nil, nil, nil, nil, nil, nil, nil})
			values = append(values, fmt.Sprintf(`SELECT %d, NULL, NULL, NULL, NULL, NULL, NULL, NULL`, i))
			continue
		}
		name, price, day := fmt.Sprintf("näme %d%% '/'", i), fmt.Sprintf("%d.%02d", i-160, i%100), fmt.Sprintf("19%02d-0%d-11", i%100, 1+i%9)
		more, raw, f := fmt.Sprintf(`{"a":[%d,null,"x"]}`, i), fmt.Sprintf("%08X", i), float64(i)/8
		items.Insert(emulator.Row{i, name, price, i%2 == 0, day, more, raw, f})
		values = append(values, fmt.Sprintf(`SELECT %d, '%s', %s, %v, '%s'::DATE, PARSE_JSON('%s'), TO_BINARY('%s', 'HEX'), %v::FLOAT`,
			i, strings.ReplaceAll(name, "'", "''"), price, i%2 == 0, day, more, raw, f))
		if len(values) == 50 {
			flush()
		}
	}
	flush()
	other := fakesnow(t)
	fill(t, other, statements...)
	return map[string]string{"fakesnow": inDatabase(t, other), "emulator": srv.URL()}
}

// read is what the adapter makes of a table from a cursor on, and the cursor
// after its first page.
func read(t *testing.T, src driver.Source, cur driver.Cursor) (items []string, after driver.Cursor) {
	t.Helper()
	for {
		p, err := src.Changes(t.Context(), driver.Scope{Path: table}, cur)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Changes {
			items = append(items, c.Item.ID+" "+string(c.Item.Inline))
		}
		if after == nil {
			after = p.Next
		}
		if cur = p.Next; !p.More {
			return items, after
		}
	}
}

func TestAdapter(t *testing.T) {
	servers := create(t)
	for name, keys := range map[string][]string{"one key": {"ID"}, "two keys": {"NAME", "ID"}} {
		t.Run("the same rows by "+name, func(t *testing.T) {
			got := map[string][]string{}
			for server, address := range servers {
				t.Run(server, func(t *testing.T) { got[server] = readTwice(t, address, keys) })
			}
			if !slices.Equal(got["fakesnow"], got["emulator"]) {
				t.Errorf("they differ: %s", difference(got["fakesnow"], got["emulator"]))
			}
		})
	}
	for server, address := range servers {
		t.Run("look around in "+server, func(t *testing.T) { lookAround(t, open(t, address, nil)) })
	}
}

// readTwice reads a table whole, and again from the end of the first page as
// another process would.
func readTwice(t *testing.T, address string, keys []string) []string {
	fields := map[string]any{"primary_key_columns": keys}
	got, after := read(t, open(t, address, fields), nil)
	if len(got) != rows || !slices.IsSorted(ids(got)) {
		t.Fatalf("%d rows of %d, in order: %v", len(got), rows, slices.IsSorted(ids(got)))
	}
	if rest, _ := read(t, open(t, address, fields), after); !slices.Equal(rest, got[100:]) {
		t.Fatalf("after a page of 100 of %d rows there are %d", rows, len(rest))
	}
	return got
}

func difference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("row %d is %s and %s", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d rows and %d", len(a), len(b))
}

func ids(items []string) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i], _, _ = strings.Cut(it, " {")
	}
	return out
}

func lookAround(t *testing.T, src driver.Source) {
	for path, want := range map[string]string{"": "DB", "DB": "PUBLIC", "DB.PUBLIC": "ITEMS"} {
		l, err := src.Browse(t.Context(), path, "", 10)
		if err != nil {
			t.Fatalf("browse %q: %v", path, err)
		}
		if !slices.ContainsFunc(l.Items, func(it driver.Item) bool { return it.Name == want }) {
			t.Errorf("%q holds %v, which lacks %s", path, l.Items, want)
		}
	}
	for _, target := range []string{"", table} {
		if _, err := src.Check(t.Context(), target); err != nil {
			t.Errorf("check of %q: %v", target, err)
		}
	}
	if _, err := src.Check(t.Context(), "DB.PUBLIC.NONE"); errs.KindOf(err) != errs.NotFound {
		t.Errorf("a table that isn't there: %v", err)
	}
}
