package msgraph

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// The hashes are those that rclone gives.
func TestQuickXorHash(t *testing.T) {
	pattern := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i*7 + 3)
		}
		return string(b)
	}
	for _, tc := range []struct{ text, want string }{
		{"", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		{"a", "YQAAAAAAAAAAAAAAAQAAAAAAAAA="},
		{"The quick brown fox", "VUQlYUMOhzqkYQxrE4EY5PCGO7g="},
		{pattern(160), "7gi7SoTZMRx5gfdODLshn/kHw6o="},
		{pattern(161), "jQi7SoTZMRx5gfdODbshn/kHw6o="},
		{pattern(1000), "dgD8j0n8sM0aPE5CUJ8tqmilX/E="},
		{pattern(100_003), "jVj4VoTZMRx5gfdODz0gn/kHw6o="},
	} {
		for _, r := range []io.Reader{strings.NewReader(tc.text), iotest.HalfReader(strings.NewReader(tc.text))} {
			q := &quickXorHash{}
			if _, err := io.CopyBuffer(struct{ io.Writer }{q}, struct{ io.Reader }{r}, make([]byte, 97)); err != nil {
				t.Fatal(err)
			}
			if sum := q.sum(); base64.StdEncoding.EncodeToString(sum[:]) != tc.want {
				t.Errorf("%d bytes: %s, want %s", len(tc.text), base64.StdEncoding.EncodeToString(sum[:]), tc.want)
			}
		}
	}
}
