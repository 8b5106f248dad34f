package engine

import (
	"sync/atomic"

	"mooring/internal/id"
)

// Progress is what a run under way does at the moment, ahead of its ledger, which
// grows by whole records. It is for people who watch, and lost with the process.
type Progress struct {
	Listed       int64 // items met in the source
	Waiting      int64 // items found to transfer whose transfer has not begun
	Transferring int64
	Bytes        int64 // of content, as it arrives
	BytesKnown   int64 // of all items found to transfer, as listed
	ListedAll    bool  // nothing more will be found: what remains is known
}

// progress is a run's Progress being counted.
type progress struct {
	listed, waiting, transferring, bytes, known atomic.Int64
	shards                                      atomic.Int64 // being enumerated
	enumerated                                  atomic.Bool  // shards have been started
}

// Progress returns that of a run, false if none of that name works in this process.
func (e *Engine) Progress(run id.Run) (Progress, bool) {
	v, ok := e.running.Load(run)
	if !ok {
		return Progress{}, false
	}
	p := v.(*progress)
	return Progress{
		Listed: p.listed.Load(), Waiting: p.waiting.Load(), Transferring: p.transferring.Load(), Bytes: p.bytes.Load(), BytesKnown: p.known.Load(),
		ListedAll: p.enumerated.Load() && p.shards.Load() == 0,
	}, true
}

// found counts work that a differ has found.
func (p *progress) found(w *work) {
	switch w.act {
	case transferred:
		p.listed.Add(1)
		p.waiting.Add(1)
		p.known.Add(max(w.item.Size, 0))
	case updated, seen:
		p.listed.Add(1)
	}
}

// begin counts a transfer; the end of it is counted by what it returns.
func (p *progress) begin() (end func()) {
	p.waiting.Add(-1)
	p.transferring.Add(1)
	return func() { p.transferring.Add(-1) }
}
