package noise_test

import (
	"bytes"
	"io"
	"testing"

	"mooring/emulator/noise"
)

// Reading from any offset gives the same bytes as reading from the beginning.
func TestOffsets(t *testing.T) {
	whole := make([]byte, 100)
	if _, err := io.ReadFull(noise.Reader(7, 0), whole); err != nil {
		t.Fatal(err)
	}
	other := make([]byte, 100)
	_, _ = io.ReadFull(noise.Reader(8, 0), other)
	if bytes.Equal(whole, other) {
		t.Error("two seeds give the same bytes")
	}
	for off := range 90 {
		part := make([]byte, 10)
		_, _ = io.ReadFull(noise.Reader(7, int64(off)), part)
		if !bytes.Equal(part, whole[off:off+10]) {
			t.Fatalf("from %d on: other bytes", off)
		}
	}
}
