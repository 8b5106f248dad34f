// Package datadir is a directory that one process at a time works in.
package datadir

import (
	"os"
	"path/filepath"

	"mooring/internal/errs"
)

const lockName = "mooring.lock"

// Lock makes a data directory if it is missing and takes its lock, for as long
// as the file is open. One that another process holds is errs.Conflict.
func Lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "datadir.lock", "the data directory can't be made")
	}
	return lock(filepath.Join(dir, lockName))
}
