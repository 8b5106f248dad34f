package e2e

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // what an intruder would use
)

// Whoever gets at the database, but not at the master key, can't change the
// audit trail before a head that was kept without mooring audit verify finding it.
func TestAuditVerifyFindsWhatAnIntruderDoes(t *testing.T) {
	s := Start(t)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		s.answer("", "bucket", "create", name)
	}
	head, _ := s.answer("", "audit", "head")["head"].(string)
	s.answer("", "bucket", "create", "later")
	if r := s.cli("", "audit", "verify", "--head", head); r.Code != 0 {
		t.Fatalf("an untouched trail: %+v", r)
	}
	if r := s.cli("", "audit", "export"); r.Code != 0 || strings.Count(r.Stdout, "\n") < 7 {
		t.Errorf("the export: %+v", r)
	}
	s.stop()

	for name, statement := range map[string]string{
		"deleted":              "DELETE FROM audit WHERE sequence = 3",
		"edited":               "UPDATE audit SET doc = unhex(replace(hex(doc), hex('bucket_created'), hex('bucket_deleted'))) WHERE sequence = 5",
		"replaced by the next": "UPDATE audit SET doc = (SELECT doc FROM audit b WHERE b.org = audit.org AND b.sequence = 4) WHERE sequence = 3",
		"reordered":            "UPDATE audit SET sequence = CASE sequence WHEN 3 THEN 1000004 WHEN 4 THEN 1000003 END WHERE sequence IN (3, 4); UPDATE audit SET sequence = sequence - 1000000 WHERE sequence > 1000000",
		"cut off at the end":   "DELETE FROM audit WHERE sequence > 4",
		"cut off at the start": "DELETE FROM audit WHERE sequence < 3",
		"emptied":              "DELETE FROM audit",
	} {
		t.Run(name, func(t *testing.T) {
			again := StartAt(t, tampered(t, s, statement))
			r := again.cli("", "audit", "verify", "--head", head)
			if r.Code == 0 || !strings.Contains(r.Stderr, "broken at entry") {
				t.Errorf("not found: %+v", r)
			}
		})
	}
}

// A store whose audit key was taken away gets no other, which would be as good
// as a new trail: the server says so and does not start.
func TestATrailWithoutItsKeyIsRefused(t *testing.T) {
	s := Start(t)
	s.stop()
	if out := refused(t, tampered(t, s, "DELETE FROM meta WHERE name = 'audit_key'")); !strings.Contains(out, "audit trails") {
		t.Errorf("got %s", out)
	}
}

// tampered is a copy of a stopped server's data directory, changed.
func tampered(t *testing.T, s *server, statement string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(s.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(dir, private); err != nil {
		t.Fatal(err)
	}
	tamper(t, filepath.Join(dir, "mooring.db"), statement)
	return dir
}

func private(path string, d os.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if d.IsDir() {
		return os.Chmod(path, 0o700)
	}
	return os.Chmod(path, 0o600)
}

func tamper(t *testing.T, file, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}
