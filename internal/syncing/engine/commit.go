package engine

import (
	"context"
	"strconv"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/syncing"
)

// lazily is how many records without files may wait to be dropped together.
const lazily = 16

// commitBatch writes a batch as one record, or as several where one would be
// too large.
func (r *runner) commitBatch(ctx context.Context, sh *shard, b *batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	works := b.works
	for first := true; ; first = false {
		n := r.fitting(works)
		part, last := works[:n], n == len(works)
		works = works[n:]
		// First what came before is made durable, and so are the contents of
		// this batch: earlier records are dropped and the names they freed can
		// be reserved anew.
		if err := r.settle(ctx, lazily); err != nil {
			return err
		}
		d := r.newDraft(sh, part)
		if first {
			d.rec.Tree = b.tree
		}
		if last {
			d.rec.Next, d.rec.Ended = b.next, b.ended
			d.rec.Ledger.Add(b.tail)
		} else {
			d.rec.Next = part[n-1].after
		}
		if err := d.fill(ctx, part); err != nil {
			return err
		}
		if err := r.write(ctx, sh, &d.rec); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

// fitting says how many works go into one record: at least one.
func (r *runner) fitting(works []*work) int {
	size := 0
	for i, w := range works {
		size += w.weight() + mapSize(w.mapped.fields) + addresses(w.mapped.blobs)
		if i > 0 && size > r.limits.RecordBytes {
			return i
		}
	}
	return len(works)
}

// addresses estimates the BSON bytes of blobs that are URLs.
func addresses(blobs []bucket.Blob) (n int) {
	for _, b := range blobs {
		if b.URL != "" {
			n += perReference + len(b.URL) + len(b.Property)
		}
	}
	return n
}

// draft is a record being made.
type draft struct {
	*runner
	rec     syncing.Record
	news    news
	objects map[id.Object]bucket.Object // as they are
	content map[string]id.Object        // who has a content already
	heirs   heirs
}

func (r *runner) newDraft(sh *shard, works []*work) *draft {
	return &draft{runner: r, rec: syncing.Record{
		ID: syncing.RecordID(r.pass.ID, sh.doc.Name, sh.doc.Applied+1), Org: r.org, Sync: r.sync.ID, Bucket: r.bucket.ID,
		Pass: r.pass.ID, Shard: sh.doc.Name, Seq: sh.doc.Applied + 1, Run: r.run.ID, Fence: sh.fence, At: r.now(),
	}}
}

// fill says of each work what became of it.
func (d *draft) fill(ctx context.Context, works []*work) error {
	if err := d.read(ctx, works); err != nil {
		return err
	}
	names, err := d.nameAll(ctx, works)
	if err != nil {
		return err
	}
	for i, w := range works {
		d.rec.Ledger.Add(w.lead)
		d.rec.Ledger.Note(w.item.Note) // only what is counted has one
		switch w.act {
		case transferred:
			d.transfer(w, names[i])
		case updated:
			d.update(w, names[i])
		case seen:
			d.rec.Ledger.Count(w.outcome, w.reason)
			d.see(w)
		case absent:
			d.absent(w)
		case closed:
			d.rec.Closed = append(d.rec.Closed, w.letter)
		case deleted:
			d.delete(w)
		case kept:
			d.rec.Settled = append(d.rec.Settled, w.object)
		}
	}
	if err := d.inherit(ctx); err != nil {
		return err
	}
	d.rec.Events = d.news.events(d.runner, d.rec.At)
	return nil
}

// read looks up what the catalogue holds of the works.
func (d *draft) read(ctx context.Context, works []*work) error {
	var ids []id.Object
	var sums []string
	for _, w := range works {
		if w.act == transferred || w.act == updated || w.act == deleted {
			ids = append(ids, w.object)
		}
		if w.act == transferred && w.outcome == "" {
			sums = append(sums, w.got.sha256)
		}
	}
	d.content = map[string]id.Object{}
	var err error
	if len(ids) > 0 {
		if d.objects, err = d.Store.Catalogue().Lookup(ctx, d.org, d.bucket.ID, ids); err != nil {
			return err
		}
	}
	if len(sums) > 0 {
		if d.content, err = d.Store.Catalogue().ByContent(ctx, d.org, d.bucket.ID, sums); err != nil {
			return err
		}
	}
	return nil
}

// transfer records an item whose content was to be read.
func (d *draft) transfer(w *work, n naming) {
	old, known := d.objects[w.object]
	if w.outcome != "" {
		d.failOrCount(w)
		if known && w.reason != reasonGone {
			d.see(w)
		}
		return
	}
	if known && old.State == bucket.Removed && old.Version == w.item.Version {
		w.settle(syncing.Skipped, reasonDeleted) // a user deleted it meanwhile
		d.unused.Store(true)
		d.failOrCount(w)
		d.see(w)
		return
	}
	present := known && old.State == bucket.Present
	if present && old.SourcePath != w.path {
		d.rec.Ledger.Moved++
	}
	if known {
		d.leaves(old, w.got.sha256)
	}
	o := d.object(w, old, n)
	o.Size, o.SHA256, o.Verdict, o.DuplicateOf, o.Version = w.got.size, w.got.sha256, w.got.verdict, "", w.item.Version
	if first, held := d.content[o.SHA256]; held && first != o.ID {
		o.DuplicateOf = string(first)
		d.rec.Ledger.Count(syncing.Duplicate, "")
	} else {
		if !held {
			d.content[o.SHA256] = o.ID
		}
		d.rec.Ledger.Count(syncing.Synced, "")
		d.news.object(o, present)
	}
	d.rec.Ledger.Bytes += o.Size
	d.place(syncing.Placement{Staged: w.staged, Name: o.Name, Size: o.Size}, n)
	d.put(w, o)
}

// update records an item whose content stays.
func (d *draft) update(w *work, n naming) {
	old, known := d.objects[w.object]
	if w.outcome != "" {
		d.failOrCount(w)
		d.see(w)
		return
	}
	d.rec.Ledger.Count(syncing.Unchanged, "")
	if !known || old.State != bucket.Present {
		return // a user deleted it meanwhile
	}
	o := d.object(w, old, n)
	if old.Mapping != o.Mapping {
		d.rec.Ledger.Remapped++
	}
	if old.SourcePath != o.SourcePath {
		d.rec.Ledger.Moved++
	}
	if n.name != n.old {
		d.place(syncing.Placement{Name: n.name, Size: o.Size}, n)
	}
	if old.Mapping != o.Mapping || old.SourcePath != o.SourcePath {
		d.news.object(o, true)
	}
	d.put(w, o)
}

// place adds a placement, and what a changed name entails.
func (d *draft) place(p syncing.Placement, n naming) {
	if n.old != "" && n.old != n.name {
		p.Old = n.old
		d.rec.Freed = append(d.rec.Freed, n.freed)
	}
	d.rec.Place = append(d.rec.Place, p)
}

func (d *draft) put(w *work, o bucket.Object) {
	d.rec.Put = append(d.rec.Put, o)
	if w.letter != "" {
		d.rec.Closed = append(d.rec.Closed, w.letter)
	}
}

// object is the row of an item, with what old holds where nothing is newer.
func (d *draft) object(w *work, old bucket.Object, n naming) bucket.Object {
	o := old
	if o.ID == "" {
		o = bucket.Object{
			ID: w.object, Org: d.org, Bucket: d.bucket.ID, Connection: d.sync.Connection, SourceID: key.Key(w.item.ID), CreatedAt: d.rec.At,
		}
	}
	o.Sync, o.Provider, o.State, o.UpdatedAt, o.Revision = d.sync.ID, d.sync.Provider, bucket.Present, d.rec.At, old.NextRevision(d.rec.At)
	o.Parent, o.SourcePath, o.Name = w.item.Parent, w.path, n.name
	o.ModifiedAt = nil
	if !w.item.ModifiedAt.IsZero() {
		at := w.item.ModifiedAt.UTC()
		o.ModifiedAt = &at
	}
	o.Fields, o.Blobs, o.Mapping, o.MIME = w.mapped.fields, w.mapped.blobs, d.view.revision, w.mapped.mime
	if d.marking {
		o.SeenPass = string(d.pass.ID)
	}
	return o
}

// see notes that an unordered enumeration met an object.
func (d *draft) see(w *work) {
	if d.marking && w.known != nil {
		d.rec.Seen = append(d.rec.Seen, w.object)
	}
}

// failOrCount records an item that was transferred in vain.
func (d *draft) failOrCount(w *work) {
	if w.outcome != syncing.FailedItem {
		d.rec.Ledger.Count(w.outcome, w.reason)
		if w.letter != "" {
			d.rec.Closed = append(d.rec.Closed, w.letter)
		}
		return
	}
	e := errs.From(w.failure)
	code := e.Code
	if e.Op == opMapping {
		code = mappingCode + strconv.FormatInt(d.view.revision, 10)
	}
	d.rec.Ledger.Count(syncing.FailedItem, e.Kind.String())
	d.rec.Dead = append(d.rec.Dead, syncing.DeadLetter{
		ID: syncing.DeadLetterID(d.sync.ID, key.Key(w.item.ID)), Org: d.org, Sync: d.sync.ID, SourceID: key.Key(w.item.ID), SourcePath: w.path,
		Version: w.item.Version, Size: w.item.Size, Status: syncing.DeadOpen, Kind: e.Kind.String(), Code: code, Message: e.Message(),
		Attempts: w.attempts, Run: d.run.ID, CreatedAt: d.rec.At, UpdatedAt: d.rec.At,
	})
}

// absent notes an absence, or only counts it where nothing would follow.
func (d *draft) absent(w *work) {
	d.rec.Missing++
	if d.sync.OnDelete == syncing.Ignore {
		return
	}
	d.rec.Absent = append(d.rec.Absent, syncing.Absence{Object: w.object, SourceID: w.known.SourceID, Name: w.known.Name})
}

// delete follows the policy for an object that is confirmed to be gone.
func (d *draft) delete(w *work) {
	d.rec.Settled = append(d.rec.Settled, w.object)
	o, known := d.objects[w.object]
	if !known || o.State != bucket.Present {
		return
	}
	d.rec.Ledger.Deleted++
	d.leaves(o, "")
	row := d.sync.OnDelete == syncing.Delete
	d.rec.Remove = append(d.rec.Remove, syncing.Removal{Object: o.ID, Name: o.Name, Row: row})
	o.Revision = o.NextRevision(d.rec.At)
	if row {
		d.rec.Freed = append(d.rec.Freed, bucket.FileSource(o.ID), otherFileSource(o.ID))
	} else {
		o.State, o.UpdatedAt = bucket.Tombstoned, d.rec.At
		d.rec.Put = append(d.rec.Put, o)
	}
	d.news.gone(o)
}
