//go:build !unix

package main

import (
	"net"

	"mooring/internal/errs"
)

func listenPrivate(string) (net.Listener, error) {
	return nil, errs.New(errs.Unavailable, "operator", "private sockets are not available on this system")
}
