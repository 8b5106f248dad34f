package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"
)

// TestADeadlineEndsAQueryThatRuns: SQLite itself is interrupted, whether it looks for
// the first row of a list or for one of those that follow, and serves the next query.
func TestADeadlineEndsAQueryThatRuns(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const counting = "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) "
	for what, query := range map[string]string{
		"before its first row": counting + "SELECT count(*) FROM n", "after its first row": atOnce(counting + "SELECT x FROM n WHERE x = 1 OR x < 0"),
	} {
		for _, use := range []string{"prepared", "kept"} { // the second time the statement is kept
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			err := s.each(ctx, "test", query, nil, func(*sql.Rows) error { return nil })
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s, %s: it ended with %v", what, use, err)
			}
		}
	}
	if n, err := s.count(t.Context(), "test", "SELECT 7", nil); n != 7 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}
