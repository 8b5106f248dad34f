//go:build unix

package sqlite

import (
	"errors"
	"os"

	"mooring/internal/errs"
)

// syncDir makes the names of new files durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "sqlite.open", "the data directory can't be opened")
	}
	return errors.Join(f.Sync(), f.Close())
}
