// Package sink is the contract of destinations: where the content of a bucket's
// objects is placed. dir is a folder; sinktest is the suite.
//
// Content is written to a staging name first, made durable for a whole page at
// once, and then placed under its recorded name atomically, so that nothing
// half-written ever stands under a final name.
package sink

import (
	"context"
	"io"

	"mooring/internal/bucket"
)

// Sink is one bucket's part of a destination. Names are relative,
// slash-separated and clean; they come from bucket.Names and are otherwise
// opaque. It is safe for concurrent use. Errors are of errs kinds, Origin Ours:
// NotFound, Unavailable (a full disk says so, and how much is free), Corrupt.
type Sink interface {
	// Rules says what names can be, found by probing.
	Rules() bucket.Rules
	// Stage starts writing content. staged is a name of the caller's choice
	// ([a-z0-9._-], at most 100 bytes), which replaces an older one. size is what
	// the content is expected to have, -1 when unknown: it may turn out otherwise.
	Stage(ctx context.Context, staged string, size int64) (Writer, error)
	// Settle makes everything closed so far, and every placement and removal
	// so far, durable.
	Settle(ctx context.Context) error
	// Place moves staged content to its name, replacing what is there. It is
	// idempotent: when staged is gone and name has the size, it is done. Staged
	// content is placed once: a worker that slept and asks again after another one
	// has placed and settled it changes nothing, whatever stands there by then.
	Place(ctx context.Context, staged, name string, size int64) error
	// Rename moves a placed file; idempotent likewise.
	Rename(ctx context.Context, from, to string, size int64) error
	// Stat returns the size under a name; errs.NotFound.
	Stat(ctx context.Context, name string) (size int64, err error)
	Open(ctx context.Context, name string, off int64) (io.ReadCloser, error)
	// Remove deletes a name and folders left empty; missing is no error.
	Remove(ctx context.Context, name string) error
	// Sweep deletes staged content for which keep is false.
	Sweep(ctx context.Context, keep func(staged string) bool) error
	// Names calls f with every placed name, in no order, until f errs.
	Names(ctx context.Context, f func(name string, size int64) error) error
	// Destroy removes the bucket's whole part.
	Destroy(ctx context.Context) error
}

// Writer takes the content of one staging name. It is for one goroutine.
type Writer interface {
	io.Writer
	// Close finishes the content. It is durable only after Settle.
	Close() error
	// Abort drops it. After Close it does nothing.
	Abort()
}

// Destination opens the parts of buckets in one destination of the operator's.
type Destination interface {
	// Bucket opens, creating it if need be, the part at <org>/<bucket>.
	Bucket(ctx context.Context, b bucket.Bucket) (Sink, error)
	// Free says how much of the destination is free, from 0 to 1; 1 when unknown.
	Free(ctx context.Context) (float64, error)
}
