package dir

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const canSyncFS = false

var diskFull error = syscall.ENOSPC

func syncFS(*os.File) error { return errors.ErrUnsupported }

func spaceOf(f *os.File) (Space, error) {
	defer runtime.KeepAlive(f)
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return Space{}, os.NewSyscallError("fstatfs", err)
	}
	block := uint64(s.Bsize)
	return Space{
		FreeBytes: s.Bavail * block, TotalBytes: (s.Blocks - s.Bfree + s.Bavail) * block,
		FreeFiles: s.Ffree, TotalFiles: s.Files,
	}, nil
}
