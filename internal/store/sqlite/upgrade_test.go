package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/sqlite"
)

// TestEveryOlderSchemaIsUpgraded: whatever version wrote a data directory, this
// program makes of it what it would have made itself, and keeps what it holds.
func TestEveryOlderSchemaIsUpgraded(t *testing.T) {
	want := schemaOf(t, emptyDir(t))
	org := access.Organization{ID: "int_a", Name: "kept", Revision: 1, DataKey: 1, CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	b, err := doc.Encode(&org)
	if err != nil {
		t.Fatal(err)
	}
	steps := sqlite.Migrations()
	for version := 1; version < len(steps); version++ {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			dir := t.TempDir()
			db, err := sql.Open("sqlite", filepath.Join(dir, "mooring.db"))
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range steps[:version] {
				if _, err := db.ExecContext(t.Context(), step); err != nil {
					t.Fatal(err)
				}
			}
			_, err1 := db.ExecContext(t.Context(), "INSERT INTO meta (name, value) VALUES ('schema_version', ?)", []byte(strconv.Itoa(version)))
			_, err2 := db.ExecContext(t.Context(), "INSERT INTO organizations (id, org, revision, created, doc) VALUES ('int_a', 'int_a', 1, ?, ?)", org.CreatedAt.UnixMilli(), b)
			if err := errors.Join(err1, err2, db.Close(), os.Chmod(filepath.Join(dir, "mooring.db"), 0o600)); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			if got, err := s.Organizations().Get(t.Context(), "int_a", "int_a"); err != nil || got.Name != "kept" {
				t.Errorf("what was there: %+v, %v", got, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got := schemaOf(t, dir); !slices.Equal(got, want) {
				t.Errorf("the schema is\n%q\nwant\n%q", got, want)
			}
		})
	}
}

// schemaOf lists what a database is made of: its tables with their columns, and
// its indexes.
func schemaOf(t *testing.T, dir string) (out []string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "mooring.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT s.type, s.name, coalesce(c.name, ''), coalesce(c.type, '') FROM sqlite_schema s
		LEFT JOIN pragma_table_info(s.name) c ON s.type = 'table' ORDER BY 1, 2, 3`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a, b, c, d string
		if err := rows.Scan(&a, &b, &c, &d); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(a, " ", b, " ", c, " ", d))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
