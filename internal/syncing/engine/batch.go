package engine

import (
	"sync"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// action is what an item needs beyond being counted.
type action uint8

const (
	transferred action = iota // its content is read and placed
	updated                   // its content stays; path, fields or owner have changed
	seen                      // it needs nothing, but an unordered enumeration notes that it met it
	absent                    // in the catalogue, not in the listing
	closed                    // a dead letter whose item is gone
	deleted                   // the delete phase follows the policy
	kept                      // the delete phase found it alive
)

// Reasons of skipped items that are not the source's own.
const (
	reasonGone    = "gone_since_listed"
	reasonDead    = "dead_letter"
	reasonDeleted = "deleted_here"
	reasonLong    = "path_too_long"
)

// work is one item on its way into a record.
type work struct {
	act      action
	item     driver.Item
	path     string         // from the root of the bucket or drive
	object   id.Object      // the item's in the catalogue
	known    *bucket.Entry  // what the catalogue held; nil: nothing
	letter   string         // an open dead letter, closed by success
	attempts int            // tries made before and now
	staged   string         // where content goes
	lead     syncing.Ledger // of items without effect met since the work before
	after    syncing.Position

	got     content
	mapped  mapping
	outcome syncing.Outcome
	reason  string
	failure error
}

// settle notes an outcome that is none of the act's own.
func (w *work) settle(o syncing.Outcome, reason string) { w.outcome, w.reason = o, reason }

// fail notes that the item failed for good: it becomes a dead letter.
func (w *work) fail(err error) {
	w.outcome, w.failure = syncing.FailedItem, err
}

// batch is what one or more records are made of: works in order, with what was
// merely counted between them.
type batch struct {
	works []*work
	tail  syncing.Ledger       // counted after the last work
	next  syncing.Position     // where the shard stands after the batch
	ended bool                 // the shard's last
	tree  []syncing.TreeChange // the works depend on it
	done  sync.WaitGroup       // transfers under way
	over  chan struct{}        // closed when it is committed

	heavy  int   // works that put or remove an object
	bytes  int64 // of content
	inline int   // bytes of content that the works hold
	size   int   // estimated BSON bytes of the outcome
}

func newBatch() *batch { return &batch{over: make(chan struct{})} }

// builder gathers what a differ finds into batches and cuts them.
type builder struct {
	r      *runner
	sh     *shard
	b      *batch
	quick  int // the first batches are small, so that the first objects land soon
	counts syncing.Ledger
	at     syncing.Position // after what was counted or gathered last
	any    bool             // something was counted or gathered since the last cut
}

func newBuilder(r *runner, sh *shard) *builder {
	return &builder{r: r, sh: sh, b: newBatch(), quick: firstBatch, at: sh.begin.Position}
}

const (
	firstBatch   = 16
	perWork      = 1000 // estimated BSON bytes of an outcome without its texts
	perReference = 90   // of an id, an absence or a closed letter without its texts
)

// count notes an item that needs no more than that.
func (b *builder) count(d decision, note string, after syncing.Position) {
	b.counts.Count(d.outcome, d.reason)
	b.counts.Note(note)
	b.r.progress.listed.Add(1)
	b.at, b.any = after, true
}

// add gathers work that leaves the shard at a position. It reports false when
// the run may transfer no more: the shard then stops before this item.
func (b *builder) add(w *work, after syncing.Position) (ok bool, err error) {
	if w.act == transferred && !b.r.takeTransfer() {
		return false, nil
	}
	w.lead, b.counts = b.counts, syncing.Ledger{}
	w.after, b.at = after, after
	b.b.works = append(b.b.works, w)
	b.any = true
	b.weigh(w)
	b.r.progress.found(w)
	if b.full() {
		return true, b.cut(after, false)
	}
	return true, nil
}

func (b *builder) weigh(w *work) {
	switch w.act {
	case transferred:
		b.b.bytes += max(w.item.Size, 0)
		b.b.inline += len(w.item.Inline)
		b.b.heavy++
	case updated, deleted:
		b.b.heavy++
	}
	b.b.size += w.weight() + 2*mapSize(w.item.Columns)
}

// weight estimates the BSON bytes of a work's outcome without its fields.
func (w *work) weight() int {
	name := 0
	if w.known != nil {
		name = len(w.known.Name)
	}
	switch w.act {
	case transferred, updated, deleted:
		return perWork + 4*len(w.path) + 3*len(w.item.ID) + name
	}
	return perReference + 2*len(w.path) + 2*len(w.item.ID) + name
}

// learn gathers a change to the index of folders: it is recorded with, or before,
// all that is added from now on.
func (b *builder) learn(c syncing.TreeChange) error {
	b.b.tree, b.any = append(b.b.tree, c), true
	b.b.size += perReference + len(c.Node.ID) + len(c.Node.Parent) + len(c.Node.Name)
	if b.full() {
		return b.cut(b.at, false)
	}
	return nil
}

// full reports whether the batch should be cut: by items, by content or by the
// size of its record.
func (b *builder) full() bool {
	l := b.r.limits
	if b.b.size >= l.RecordBytes*3/4 || b.b.bytes >= l.PageBytes || b.b.inline >= l.InlineBytes {
		return true
	}
	return b.b.heavy >= min(l.PageItems, b.quick) || len(b.b.works) >= 20*l.PageItems
}

// cut sends the batch on its way. A batch of nothing that does not end its
// shard is not worth a record: the position moves on with the next one.
func (b *builder) cut(next syncing.Position, ended bool) error {
	if !b.any && !ended {
		return nil
	}
	out := b.b
	out.next, out.ended, out.tail = next, ended, b.counts
	b.b, b.counts, b.any, b.at = newBatch(), syncing.Ledger{}, false, next
	b.quick = min(2*b.quick, b.r.limits.PageItems)
	return b.sh.send(out)
}

// mapSize estimates the BSON bytes of columns.
func mapSize(m map[string]any) int {
	n := 0
	for k, v := range m {
		n += len(k) + 16
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		case map[string]any:
			n += mapSize(v)
		case []any:
			n += 32 * len(v)
		}
	}
	return n
}

// newWork makes the work of a listed item.
func (r *runner) newWork(act action, item driver.Item, path string, known *bucket.Entry, letter *syncing.DeadLetter) *work {
	w := &work{act: act, item: item, path: path, known: known, object: r.objectOf(item.ID)}
	if letter != nil {
		w.letter, w.attempts = letter.ID, letter.Attempts
	}
	return w
}

func (r *runner) objectOf(source string) id.Object {
	return id.ObjectOf(r.bucket.ID, r.sync.Connection, source)
}

func sourceKey(item string) key.Key { return key.Key(item) }
