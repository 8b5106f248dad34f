package dir

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const canSyncFS = false

var diskFull error = windows.ERROR_DISK_FULL

func syncFS(*os.File) error { return errors.ErrUnsupported }

func spaceOf(f *os.File) (Space, error) {
	name, err := windows.UTF16PtrFromString(f.Name())
	if err != nil {
		return Space{}, err
	}
	var s Space
	err = windows.GetDiskFreeSpaceEx(name, &s.FreeBytes, &s.TotalBytes, nil)
	return s, err
}
