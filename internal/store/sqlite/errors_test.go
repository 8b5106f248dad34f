package sqlite

import (
	"testing"

	lib "modernc.org/sqlite/lib"

	"mooring/internal/errs"
)

// What goes by itself, or once an operator has seen to it, is Unavailable and
// ours: syncs wait for that, and it counts against nothing.
func TestAnOutageIsUnavailable(t *testing.T) {
	for _, code := range []int{
		lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_IOERR_WRITE, lib.SQLITE_IOERR_READ, lib.SQLITE_IOERR_SHORT_READ, lib.SQLITE_IOERR_FSYNC,
		lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_READONLY, lib.SQLITE_READONLY_DBMOVED, lib.SQLITE_BUSY, lib.SQLITE_BUSY_SNAPSHOT,
		lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL, lib.SQLITE_NOMEM,
	} {
		if kind, msg := meaning(code); kind != errs.Unavailable {
			t.Errorf("%d is %v: %s", code, kind, msg)
		}
	}
	if err := errs.From(closed("x")); err.Kind != errs.Unavailable || err.Origin != errs.Ours {
		t.Errorf("a closed store: %+v", err)
	}
}
