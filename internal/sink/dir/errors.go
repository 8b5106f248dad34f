package dir

import (
	"errors"
	"io/fs"
	"syscall"

	"mooring/internal/errs"
)

// failed makes an error of an operating system's. Its message names no path of
// the machine, since tenants read it; the cause does.
func (d *Destination) failed(op string, err error) error {
	var ours *errs.Error
	var errno syscall.Errno
	switch {
	case errors.As(err, &ours):
		return err
	case isFull(err):
		return errs.Wrap(err, errs.Unavailable, op, d.guard.full())
	case notFolder(err) || errors.Is(err, syscall.EISDIR) || errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY):
		return errs.Wrap(err, errs.Corrupt, op, "a folder stands where a file is needed, or a file where a folder is")
	case errors.Is(err, syscall.ENAMETOOLONG):
		return errs.Wrap(err, errs.Corrupt, op, "the name is longer than the destination now allows")
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return errs.Wrap(err, errs.Unavailable, op, "the destination's folder can't be written: see its owner, its mode and how it is mounted")
	case !errors.As(err, &errno):
		// What isn't the system's is os.Root's refusal to follow a link.
		return errs.Wrap(err, errs.Corrupt, op, "a symbolic link stands in the destination's folder")
	}
	return errs.Wrap(err, errs.Unavailable, op, "the destination's folder can't be used")
}

// isFull reports a full disk or a quota that is used up.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, diskFull)
}

// missing reports that a name does not exist; below a file nothing does.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) || notFolder(err) }

func notFolder(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
