package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
)

// Lists of a trail are found by columns that no MAC covers: an entry that is
// hidden by changing them is as good as deleted, and must not verify.
func TestAnAuditEntryIsNotHiddenByItsIndex(t *testing.T) {
	const org = id.Org("int_aaaaaaaaaaaaaaaaaaaaaaaa")
	for _, change := range []string{
		"", "action = 'x'", "actor = 'x'", "resource = 'x'", "resource_type = 'x'", "time = time - 1", "id = 'x'",
	} {
		dir := t.TempDir()
		st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		chain := audit.NewChain([]byte(strings.Repeat("k", 32)))
		st.System().ChainAudit(chain)
		e := audit.Entry{ID: id.NewAudit(), Time: time.Now(), ResourceType: audit.Bucket, ResourceID: "bkt_a", Action: audit.BucketDeleted, Actor: audit.System()}
		if err := st.Audit().Append(t.Context(), org, []audit.Entry{e}); err != nil {
			t.Fatal(err)
		}
		if change != "" {
			db, err := sql.Open("sqlite", filepath.Join(dir, "mooring.db"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), "UPDATE audit SET "+change); err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
		}
		list, err := st.Audit().Scan(t.Context(), org, 0, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %v, %v", change, list, err)
		}
		v, err := chain.Verify(org, nil, audit.Head{})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Next(list[0]); (err == nil) != (change == "") {
			t.Errorf("%q: %v", change, err)
		}
		_ = st.Close()
	}
}
