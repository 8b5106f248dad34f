//go:build unix

package datadir

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"mooring/internal/errs"
)

// lock takes the lock of a data directory for as long as the file is open.
// The system gives it free when the process ends, however it ends.
func lock(path string) (*os.File, error) {
	const op = "datadir.lock"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, op, "the lock file of the data directory can't be opened")
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		held := holder(f)
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errs.New(errs.Conflict, op, "the data directory is in use by "+held+": stop it, or choose another directory")
		}
		return nil, errs.Wrap(err, errs.Unavailable, op, "the data directory can't be locked")
	}
	if err := errors.Join(f.Truncate(0), writePid(f)); err != nil {
		return nil, errors.Join(errs.Wrap(err, errs.Unavailable, op, "the lock file of the data directory can't be written"), f.Close())
	}
	return f, nil
}

func writePid(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func holder(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n]))); err == nil {
		return "process " + strconv.Itoa(pid)
	}
	return "another process"
}
