package outbound

import "io"

// Limit bounds what is read of an answer to n bytes. What follows is an error,
// or with a nil one as if the answer had ended.
func Limit(body io.ReadCloser, n int64, tooLarge error) io.ReadCloser {
	if tooLarge == nil {
		tooLarge = io.EOF
	}
	return &limited{body, n, tooLarge}
}

type limited struct {
	io.ReadCloser
	left     int64
	tooLarge error
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, l.tooLarge
	}
	n, err := l.ReadCloser.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
