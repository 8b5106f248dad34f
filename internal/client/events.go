package client

import (
	"bufio"
	"bytes"
	"io"

	"mooring/internal/errs"
)

// Events reads a stream of server-sent events until it ends or f errs.
func Events(r io.Reader, f func(name string, data []byte) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	name, data := "", []byte(nil)
	for in.Scan() {
		line := in.Bytes()
		switch {
		case len(line) == 0:
			if data != nil {
				if err := f(name, data); err != nil {
					return err
				}
			}
			name, data = "", nil
		case bytes.HasPrefix(line, []byte("event:")):
			name = string(bytes.TrimSpace(line[6:]))
		case bytes.HasPrefix(line, []byte("data:")):
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, bytes.TrimPrefix(line[5:], []byte(" "))...)
		}
	}
	return errs.Wrap(in.Err(), errs.Unavailable, "client", "the event stream broke off")
}
