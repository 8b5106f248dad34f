//go:build unix

package main

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// listenPrivate listens on a unix socket that only its owner may open, from the
// first moment on: its mode follows the umask.
func listenPrivate(path string) (net.Listener, error) {
	old := unix.Umask(0o177)
	defer unix.Umask(old)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}
