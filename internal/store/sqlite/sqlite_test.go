package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mooring/csfle/vaulttest"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
	"mooring/internal/store/storetest"
)

// TestStore runs the suite, and then looks at how SQLite answers each query
// that the suite has made the store issue.
func TestStore(t *testing.T) {
	queries := map[string]bool{}
	storetest.Run(t, func(t *testing.T) storetest.Harness { return harness(t, t.TempDir(), queries) })
	db, err := sql.Open("sqlite", filepath.Join(emptyDir(t), "mooring.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if len(queries) < 100 {
		t.Errorf("the suite has made the store issue only %d queries", len(queries))
	}
	for query := range queries {
		checkPlan(t, db, query)
	}
}

func harness(t *testing.T, dir string, queries map[string]bool) storetest.Harness {
	s := open(t, dir)
	note := func() {
		for _, q := range s.Queries() {
			queries[q] = true
		}
	}
	t.Cleanup(note)
	return storetest.Harness{Store: s, System: s.System(), Reopen: func(t *testing.T) storetest.Harness {
		note()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return harness(t, dir, queries)
	}}
}

// emptyDir is the directory of a store that was closed.
func emptyDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkPlan refuses queries that read a whole table or sort what they read.
func checkPlan(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if first, _, _ := strings.Cut(query, " "); !slices.Contains([]string{"WITH", "SELECT", "INSERT", "UPDATE", "DELETE"}, first) {
		return
	}
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Errorf("%v: %s", err, query)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var a, b, c int
		var detail string
		if err := rows.Scan(&a, &b, &c, &detail); err != nil {
			t.Fatal(err)
		}
		if expensive(query, detail) {
			t.Errorf("%s: %s", detail, query)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}

// With a hundred thousand connections, what is due is read from the index alone
// and in its order: neither documents nor connections that are not due are touched.
func TestTheDueQueryIsAnIndexScan(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(emptyDir(t), "mooring.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var a, b, c int
	var first string
	if err := db.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+sqlite.DueConnections, 1, "[]", 1).Scan(&a, &b, &c, &first); err != nil {
		t.Fatal(err)
	}
	if first != "SEARCH connections USING COVERING INDEX connections_due (next_check<?)" {
		t.Errorf("the plan begins with %s", first)
	}
	checkPlan(t, db, sqlite.DueConnections)
}

// expensive judges a step of a plan. What some lists of objects sort is one
// bucket, by a column that has no index, or what a range of paths selects. The
// census, which is rare, counts over an index.
func expensive(query, detail string) bool {
	for _, part := range []string{"ORDER BY size", "ORDER BY updated", "AND path ", "FROM meta", "ORDER BY next_sync IS NULL", "ORDER BY live_name IS NULL"} {
		if strings.Contains(query, part) {
			return false
		}
	}
	if detail == "SCAN connections USING COVERING INDEX connections_census" {
		return false
	}
	if strings.HasPrefix(detail, "SCAN ") {
		inOrder := strings.Contains(detail, "USING INDEX") && strings.Contains(query, "LIMIT ?")
		return !inOrder && !strings.HasPrefix(detail, "SCAN json_each") && !strings.HasPrefix(detail, "SCAN CONSTANT") && detail != "SCAN page"
	}
	return strings.Contains(detail, "TEMP B-TREE")
}

func open(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func wantKind(t *testing.T, what string, err error, kind errs.Kind) {
	t.Helper()
	if !errs.Is(err, kind) {
		t.Fatalf("%s: got %v, want an error of kind %v", what, err, kind)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	s := open(t, dir)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v (%v), want 0700", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 3 {
		t.Fatalf("files %v (%v), want the database, its log and the lock", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v), want 0600", f.Name(), info.Mode(), err)
		}
	}
}

func TestOneStoreADirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	wantKind(t, "a second Open", err, errs.Conflict)
	if !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("the refusal does not say who has it open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := emptyDir(t)
	alter(t, dir, "UPDATE meta SET value = '4711' WHERE name = 'schema_version'")
	_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	wantKind(t, "Open", err, errs.Conflict)
	if !strings.Contains(err.Error(), "4711") {
		t.Errorf("the refusal does not name the version: %v", err)
	}
	alter(t, dir, "UPDATE meta SET value = '"+strconv.Itoa(sqlite.Schema)+"' WHERE name = 'schema_version'") // the refusal left no lock behind
	open(t, dir)
}

func TestNoDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mooring.db"), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	wantKind(t, "Open", err, errs.Corrupt)
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), sqlite.Options{Dir: filepath.Join(dir, "file")})
	wantKind(t, "Open of a file", err, errs.Unavailable)
}

func alter(t *testing.T, dir, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "mooring.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), query)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCloseLeavesOneFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.Connections().Insert(t.Context(), "int_a", connection.Connection{ID: "conn_a", Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "mooring.db-wal")); err == nil && info.Size() > 0 {
		t.Errorf("Close left %d bytes in the log", info.Size())
	}
	if err := os.Rename(filepath.Join(dir, "mooring.db"), filepath.Join(t.TempDir(), "mooring.db")); err != nil {
		t.Fatal(err)
	}
}

// TestDestroyedKeysLeaveNoTrace looks for wrapped keys in the bytes of the files.
func TestDestroyedKeysLeaveNoTrace(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	v := s.KeyVault()
	deleted, replaced, kept := vaulttest.Document("int_a/1"), vaulttest.Document("int_a/2"), vaulttest.Document("int_a/3")
	deleted.KeyMaterial = bytes.Repeat(deleted.KeyMaterial, 100) // more than a page, so that whole pages are freed
	next := replaced
	next.KeyMaterial = bytes.Repeat([]byte{7}, 160)
	if err := errors.Join(v.Insert(t.Context(), deleted), v.Insert(t.Context(), replaced), v.Insert(t.Context(), kept)); err != nil {
		t.Fatal(err)
	}
	found := func(material []byte) bool {
		for _, name := range []string{"mooring.db", "mooring.db-wal"} {
			file, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(file, material[:32]) {
				return true
			}
		}
		return false
	}
	if !found(deleted.KeyMaterial) || !found(replaced.KeyMaterial) {
		t.Fatal("keys that are stored are not found: the test looks in the wrong place")
	}
	if err := errors.Join(v.Replace(t.Context(), replaced.KeyMaterial, next), v.Delete(t.Context(), deleted.ID)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil { // the log is emptied before the next write
		t.Fatal(err)
	}
	if found(deleted.KeyMaterial) || found(replaced.KeyMaterial) || !found(kept.KeyMaterial) {
		t.Error("a key that was destroyed can still be read in the files, or one that was kept can't")
	}
}

// TestFullDisk fills a database whose size is bounded. What was acknowledged
// stays, what was refused is not there, and writing goes on once there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir}.WithMaxPages(400))
	if err != nil {
		t.Fatal(err)
	}
	org, b, c, n := id.Org("int_a"), id.Bucket("bkt_a"), id.Connection("conn_a"), 0
	for ; err == nil && n < 100_000; n += 10 {
		err = s.Catalogue().Upsert(t.Context(), org, b, objects(org, b, c, n, 10))
	}
	wantKind(t, "the write that finds no room", err, errs.Unavailable)
	if !strings.Contains(errs.From(err).Message(), "full") {
		t.Errorf("the error does not say that the disk is full: %v", err)
	}
	stored := int64(n - 10)
	for range 3 {
		wantKind(t, "the next write", s.Catalogue().Upsert(t.Context(), org, b, objects(org, b, c, n, 500)), errs.Unavailable)
	}
	check := func(s store.Store) {
		t.Helper()
		if stats, err := s.Catalogue().Stats(t.Context(), org, b); err != nil || stats.Objects != stored {
			t.Errorf("%d objects (%v), want the %d that were acknowledged", stats.Objects, err, stored)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	check(again)
	if err := again.Catalogue().Upsert(t.Context(), org, b, objects(org, b, c, n, 10)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func objects(org id.Org, b id.Bucket, c id.Connection, from, n int) (out []bucket.Object) {
	for i := from; i < from+n; i++ {
		k := key.Key("key " + strconv.Itoa(i))
		out = append(out, bucket.Object{
			ID: id.ObjectOf(b, c, string(k)), Org: org, Bucket: b, Connection: c, Sync: "sync_a", SourceID: k, SourcePath: string(k), Name: string(k), State: bucket.Present,
		})
	}
	return out
}
