package providertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"

	"mooring/emulator/noise"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// body is the content of an item.
type body interface {
	size() int64
	// from reads from an offset on.
	from(off int64) io.Reader
}

type memory []byte

func (m memory) size() int64              { return int64(len(m)) }
func (m memory) from(off int64) io.Reader { return bytes.NewReader(m[off:]) }

// generated is content that depends on a seed and takes no memory.
type generated struct {
	seed uint64
	n    int64
}

func (g generated) size() int64 { return g.n }
func (g generated) from(off int64) io.Reader {
	return io.LimitReader(noise.Reader(g.seed, off), g.n-off)
}

// digest of a whole body.
func digest(b body) []byte {
	h := sha256.New()
	_, _ = io.Copy(h, b.from(0))
	return h.Sum(nil)
}

// reader reads a body with faults. Each Read passes the script's gate.
type reader struct {
	ctx    context.Context
	script *Script
	id     string
	r      io.Reader
	at     int64 // offset in the item of what comes next
	e      effect
	sums   []driver.Checksum
}

// openBody opens a body at an offset.
func (s *Script) openBody(ctx context.Context, id string, b body, off int64, e effect, sums bool) (io.ReadCloser, error) {
	if off < 0 || off > b.size() {
		return nil, failure(errs.Stale, errs.ScopeObject, "InvalidRange", "the item is shorter than the offset asked for")
	}
	r := &reader{ctx: ctx, script: s, id: id, r: b.from(off), at: off, e: e}
	if sums {
		d := digest(b)
		if e.spoilSum {
			d[0] ^= 0xff
		}
		r.sums = []driver.Checksum{{Algorithm: "sha256", Value: d, Certain: true}}
	}
	return r, nil
}

// Checksums implements driver.Checksummed.
func (r *reader) Checksums() []driver.Checksum { return r.sums }

func (r *reader) Read(p []byte) (int, error) {
	if _, err := r.script.begin(r.ctx, Call{Method: Read, ID: r.id}); err != nil {
		return 0, err
	}
	if r.e.short >= 0 {
		left := r.e.short - r.at
		if left <= 0 {
			return 0, io.ErrUnexpectedEOF
		}
		p = p[:min(int64(len(p)), left)]
	}
	n, err := r.r.Read(p)
	if i := r.e.corrupt - r.at; r.e.corrupt >= 0 && i >= 0 && i < int64(n) {
		p[i] ^= 0xff
	}
	r.at += int64(n)
	return n, err
}

func (r *reader) Close() error { return nil }
