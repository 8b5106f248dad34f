package sqlite

import (
	"database/sql"
	"errors"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"mooring/internal/errs"
)

// errLost is the end of a conditional write whose condition no longer holds.
// It never leaves the package.
var errLost = errors.New("sqlite: somebody else wrote in between")

func closed(op string) error {
	return errs.New(errs.Unavailable, op, "the store is closed")
}

// classify turns what the database says into our kinds. It is the only place
// that reads SQLite's codes.
func classify(err error, op string) error {
	if err == nil || errors.Is(err, errLost) {
		return err
	}
	var ours *errs.Error
	if errors.As(err, &ours) {
		return err
	}
	var e *driver.Error
	if !errors.As(err, &e) {
		if errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || err.Error() == "sql: database is closed" {
			return closed(op)
		}
		return errs.Wrap(err, errs.KindOf(err), op, "the store did not answer")
	}
	kind, msg := meaning(e.Code())
	return errs.Wrap(err, kind, op, msg)
}

func meaning(code int) (errs.Kind, string) {
	switch code {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return errs.AlreadyExists, "one like it exists already"
	}
	switch code & 0xff {
	case lib.SQLITE_FULL:
		return errs.Unavailable, "the disk that holds the data directory is full: nothing was written"
	case lib.SQLITE_IOERR:
		return errs.Unavailable, "the disk that holds the data directory fails: nothing was written"
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		return errs.Unavailable, "the database in the data directory can't be written"
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL:
		return errs.Unavailable, "the database is locked by another program"
	case lib.SQLITE_NOMEM:
		return errs.Unavailable, "out of memory"
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return errs.Corrupt, "the database is damaged: restore a backup"
	case lib.SQLITE_INTERRUPT:
		return errs.Canceled, "the request was given up"
	case lib.SQLITE_TOOBIG:
		return errs.Invalid, "the document is too large"
	}
	return errs.Internal, "the database refused the statement"
}

// failedSync reports whether the disk refused to make writes durable.
func failedSync(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() {
	case lib.SQLITE_IOERR_FSYNC, lib.SQLITE_IOERR_DIR_FSYNC:
		return true
	}
	return false
}
