package sha256x2

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"sync"
	"testing"
)

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// Two streams that write by turns are hashed together, where the processor can.
func TestTwoStreamsAreHashedTogether(t *testing.T) {
	if faster != supported {
		t.Fatal("the processor can, but two streams are not hashed together: crypto/sha256 keeps its state otherwise")
	}
	a, b := New(), New()
	p, q := random(1, worth), random(2, worth)
	a.Write(p)
	if (waiting.Load() == a) != faster {
		t.Fatal("the first stream does not wait for another one")
	}
	b.Write(q)
	if waiting.Load() != nil || (len(a.hashed) == 1) != faster || b.pending != nil {
		t.Error("the second stream was not hashed with the first")
	}
	same(t, a, p)
	same(t, b, q)
}

// What was written may be written over after Settle.
func TestSettleLetsGoOfWhatWasWritten(t *testing.T) {
	a, p := New(), random(3, 2*worth)
	want := bytes.Clone(p)
	a.Write(p)
	a.Settle()
	if waiting.Load() != nil {
		t.Error("it still waits for another stream")
	}
	clear(p)
	same(t, a, want)
}

func TestManyStreamsAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for stream := range uint64(8) {
		wg.Go(func() {
			content, h := random(stream, 40*worth+int(stream)*77), New()
			sizes := rand.New(rand.NewPCG(stream, 0))
			for rest := content; len(rest) > 0; {
				n := min(len(rest), []int{worth, worth, 2 * worth, 3*worth + 64, 100, worth + 1}[sizes.IntN(6-int(stream%2))])
				h.Write(rest[:n])
				rest = rest[n:]
			}
			same(t, h, content)
		})
	}
	wg.Wait()
}

// FuzzStreams holds three streams, whose writes the input orders and measures,
// against crypto/sha256.
func FuzzStreams(f *testing.F) {
	f.Add([]byte{0, 255, 1, 255, 2, 255, 0, 254, 1, 3, 1, 255, 0, 255})
	f.Fuzz(func(t *testing.T, moves []byte) {
		content := random(9, 300<<10)
		streams, wrote := [3]*Hash{New(), New(), New()}, [3]*bytes.Buffer{{}, {}, {}}
		for ; len(moves) > 1; moves = moves[2:] {
			i := moves[0] % 3
			p := content[moves[0] : int(moves[0])+int(moves[1])<<10]
			if moves[1]%4 == 0 {
				p = p[:len(p)/7]
			}
			streams[i].Write(p)
			wrote[i].Write(p)
		}
		for i, h := range streams {
			same(t, h, wrote[i].Bytes())
		}
	})
}

func same(t *testing.T, h *Hash, content []byte) {
	t.Helper()
	if want := sha256.Sum256(content); !bytes.Equal(h.Sum(), want[:]) {
		t.Errorf("%d bytes are hashed to %x, want %x", len(content), h.Sum(), want)
	}
}

// BenchmarkStreams hashes two streams, together and by crypto/sha256.
func BenchmarkStreams(b *testing.B) {
	const chunk = 128 << 10
	p, q := random(1, chunk), random(2, chunk)
	b.Run("both", func(b *testing.B) {
		x, y := New(), New()
		b.SetBytes(2 * chunk)
		for b.Loop() {
			x.Write(p)
			y.Write(q)
		}
		x.Settle()
	})
	b.Run("crypto", func(b *testing.B) {
		x, y := sha256.New(), sha256.New()
		b.SetBytes(2 * chunk)
		for b.Loop() {
			x.Write(p)
			y.Write(q)
		}
	})
}
