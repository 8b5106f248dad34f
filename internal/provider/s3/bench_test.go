package s3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkOpen reads an object of 4 KiB; the server is in the same process.
func BenchmarkOpen(b *testing.B) {
	content := strings.Repeat("x", 4<<10)
	it := item(content)
	etag := `"` + strings.Split(it.Version, ":")[0] + `"`
	src, _ := fake(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", etag)
		_, _ = io.WriteString(w, content)
	})
	b.ReportAllocs()
	for b.Loop() {
		body, err := src.Open(b.Context(), it, 0)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, body); err != nil || n != it.Size {
			b.Fatal(n, err)
		}
		_ = body.Close()
	}
}
