package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/store/raw"
	"mooring/internal/store/sqlite"
	"mooring/internal/store/storetest"
)

func TestRaw(t *testing.T) {
	queries := map[string]bool{}
	storetest.RunRaw(t, func(t *testing.T) storetest.Harness { return harness(t, t.TempDir(), queries) })
}

// Every table is a collection of documents, or is known to be none.
func TestRawHoldsEveryTable(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(emptyDir(t), "mooring.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	want := []string{"atoms", "leases", "sessions"}
	for _, c := range raw.Collections {
		want = append(want, string(c))
	}
	slices.Sort(want)
	if rows.Err() != nil || !slices.Equal(tables, want) {
		t.Errorf("the tables are %v, want %v", tables, want)
	}
}

// A snapshot is the store at one moment, whatever is written after it.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put := func(name string) {
		t.Helper()
		if err := s.System().SetMeta(t.Context(), name, nil, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	facts := func(from raw.Source) (all []string) {
		t.Helper()
		err := from.Each(t.Context(), raw.Meta, func(d bson.Raw) error {
			all = append(all, d.Lookup("_id").StringValue())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	put("first")
	snap, err := sqlite.OpenSnapshot(t.Context(), dir) // beside the process that has the lock
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	put("second")
	if got := facts(snap); !slices.Equal(got, []string{"first"}) {
		t.Errorf("the snapshot shows %v", got)
	}
	if got := facts(s.Raw()); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("the store shows %v", got)
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.OpenSnapshot(t.Context(), t.TempDir()); !errs.Is(err, errs.NotFound) {
		t.Errorf("a snapshot of nothing: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, dir, "UPDATE meta SET value = '1' WHERE name = 'schema_version'")
	if _, err := sqlite.OpenSnapshot(t.Context(), dir); !errs.Is(err, errs.Conflict) {
		t.Errorf("a snapshot of an older schema: %v", err)
	}
}

// A database is replaced as a whole or not at all.
func TestRebuild(t *testing.T) {
	dir := t.TempDir()
	fact := func() string {
		t.Helper()
		s := open(t, dir)
		defer s.Close()
		v, err := s.System().Meta(t.Context(), "fact")
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	set := func(value string) func(*sqlite.Store) error {
		return func(s *sqlite.Store) error { return s.System().SetMeta(t.Context(), "fact", nil, []byte(value)) }
	}
	rebuild := func(fill func(*sqlite.Store) error) error {
		return sqlite.Rebuild(context.Background(), sqlite.Options{Dir: dir}, fill)
	}
	if err := rebuild(set("one")); err != nil || fact() != "one" {
		t.Fatalf("%v, the fact is %q", err, fact())
	}
	s := open(t, dir)
	if err := rebuild(set("two")); !errs.Is(err, errs.Conflict) {
		t.Errorf("a directory in use: %v", err)
	}
	_ = s.Close()
	failed := errors.New("failed")
	if err := rebuild(func(s *sqlite.Store) error { return errors.Join(set("two")(s), failed) }); !errors.Is(err, failed) || fact() != "one" {
		t.Errorf("%v, the fact is %q", err, fact())
	}
	// A log that a killed process left behind must not reach the new database.
	dir = killed(t, dir, "late")
	if err := rebuild(set("two")); err != nil || fact() != "two" {
		t.Errorf("%v, the fact is %q", err, fact())
	}
	s = open(t, dir)
	if v, err := s.System().Meta(t.Context(), "late"); err != nil || v != nil {
		t.Errorf("the new database has %q of the former one's log, %v", v, err)
	}
	_ = s.Close()
	// Not even a damaged one is in the way.
	if err := os.WriteFile(filepath.Join(dir, "mooring.db"), []byte("this is not a database, and never was one of any kind"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rebuild(set("three")); err != nil || fact() != "three" {
		t.Errorf("%v, the fact is %q", err, fact())
	}
	left, err := filepath.Glob(filepath.Join(dir, "*restoring*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// killed is the directory as a process leaves it that is killed after it has
// written a fact.
func killed(t *testing.T, dir, fact string) string {
	t.Helper()
	s := open(t, dir)
	defer s.Close()
	if err := s.System().SetMeta(t.Context(), fact, nil, []byte(fact)); err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	for _, name := range []string{"mooring.db", "mooring.db-wal", "mooring.db-shm"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return copied
}
