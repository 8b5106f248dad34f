package dir

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const canSyncFS = true

var diskFull error = syscall.ENOSPC

// syncFS makes durable what the file system of f holds. It reports whatever was
// lost since f was opened or asked last.
func syncFS(f *os.File) error {
	defer runtime.KeepAlive(f)
	for {
		err := unix.Syncfs(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("syncfs", err)
		}
	}
}

// spaceOf leaves out what is reserved for root.
func spaceOf(f *os.File) (Space, error) {
	defer runtime.KeepAlive(f)
	var s unix.Statfs_t
	for {
		err := unix.Fstatfs(int(f.Fd()), &s)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return Space{}, os.NewSyscallError("fstatfs", err)
		}
	}
	block := uint64(s.Frsize)
	return Space{
		FreeBytes: s.Bavail * block, TotalBytes: (s.Blocks - s.Bfree + s.Bavail) * block,
		FreeFiles: s.Ffree, TotalFiles: s.Files,
	}, nil
}
