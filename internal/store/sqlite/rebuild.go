package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"mooring/internal/datadir"
	"mooring/internal/errs"
)

// rebuildName is the folder in a data directory where its next database is made.
const rebuildName = "mooring.restoring"

// Rebuild gives a data directory another database. fill gets a new, empty
// store; if it returns nil, what it has put there takes the place of what the
// directory held, in one step. Whatever happens before that step, a crash
// included, leaves the directory as it was. The directory must not be in use.
func Rebuild(ctx context.Context, o Options, fill func(*Store) error) (err error) {
	const op = "sqlite.rebuild"
	lock, err := datadir.Lock(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	next := filepath.Join(o.Dir, rebuildName)
	if err := os.RemoveAll(next); err != nil { // of one that was interrupted
		return errs.Wrap(err, errs.Unavailable, op, "what an interrupted restore left can't be removed")
	}
	defer func() { _ = os.RemoveAll(next) }()
	if err := fillNew(ctx, next, fill); err != nil {
		return err
	}
	if err := settleLog(ctx, o.Dir); err != nil {
		return err
	}
	for _, suffix := range []string{"-wal", "-shm"} { // a log that is left would be applied to the other database
		if err := os.Remove(filepath.Join(o.Dir, databaseName+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errs.Wrap(err, errs.Unavailable, op, "the log of the former database can't be removed")
		}
	}
	if err := errors.Join(syncDir(o.Dir), os.Rename(filepath.Join(next, databaseName), filepath.Join(o.Dir, databaseName)), syncDir(o.Dir)); err != nil {
		return errs.Wrap(err, errs.Unavailable, op, "the new database can't take its place")
	}
	return nil
}

func fillNew(ctx context.Context, dir string, fill func(*Store) error) error {
	s, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		return err
	}
	return errors.Join(fill(s), s.Close())
}

// settleLog copies the log of the database that goes into it, so that the
// directory holds all of it up to the last step. A damaged one has none to lose.
func settleLog(ctx context.Context, dir string) error {
	path := filepath.Join(dir, databaseName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite", dsn(path, "deferred"))
	if err != nil {
		return classify(err, "sqlite.rebuild")
	}
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err = classify(errors.Join(err, db.Close()), "sqlite.rebuild"); errs.Is(err, errs.Corrupt) {
		return nil
	}
	return err
}
