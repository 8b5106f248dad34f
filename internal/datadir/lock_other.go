//go:build !unix

package datadir

import (
	"os"

	"mooring/internal/errs"
)

// lock keeps others out by the one means that every system has: a file that
// only one can make. It is left behind by a process that was killed.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errs.Wrap(err, errs.Conflict, "datadir.lock", "the data directory is in use; if no process uses it, remove "+lockName)
	}
	return f, nil
}
