package engine

import (
	"context"

	"mooring/internal/bucket"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// merge compares an ordered listing with the catalogue and the dead letters,
// all in the order of raw source ids.
type merge struct {
	r       *runner
	sh      *shard
	b       *builder
	objects *rows[bucket.Entry]
	letters *rows[syncing.DeadLetter]
	chunk   []trio
	cursor  []byte // of the page being merged
	close   bool   // letters of items that are gone may be closed
}

// trio is what the three sides hold under one id.
type trio struct {
	key    key.Key
	item   *driver.Item
	object *bucket.Entry
	letter *syncing.DeadLetter
	path   string
	intact bool // the object's file stands in the destination with its size
	gone   bool // pages without order: the change says that the item left
	index  int  // likewise: of the change in its page
	moved  bool // likewise: the object's folder is another one than the catalogue says
	met    bool // likewise: the enumeration under way has met the object
}

const mergeChunk = 1000

func (r *runner) newMerge(ctx context.Context, sh *shard) *merge {
	pos, to := sh.begin.Position.After, sh.begin.To
	if pos == "" && sh.begin.From != "" {
		pos = before(sh.begin.From)
	}
	m := &merge{r: r, sh: sh, b: newBuilder(r, sh), close: true}
	m.objects = &rows[bucket.Entry]{
		limit: r.limits.ScanRows, after: pos, what: "the catalogue", id: func(e *bucket.Entry) key.Key { return e.SourceID },
		fetch: func(after key.Key, limit int) ([]bucket.Entry, error) {
			return r.Store.Catalogue().Scan(ctx, r.org, r.bucket.ID, r.sync.Connection, after, to, limit)
		},
	}
	m.letters = &rows[syncing.DeadLetter]{
		limit: r.limits.ScanRows, after: pos, what: "the list of dead letters", id: func(d *syncing.DeadLetter) key.Key { return d.SourceID },
		fetch: func(after key.Key, limit int) ([]syncing.DeadLetter, error) {
			return r.Store.DeadLetters().Scan(ctx, r.org, r.sync.ID, after, to, limit)
		},
	}
	return m
}

// before returns a key below k with next to none in between: scans start after
// a key, ranges at one.
func before(k key.Key) key.Key {
	if n := len(k); k[n-1] == 0 {
		return k[:n-1]
	}
	b := []byte(k)
	b[len(b)-1]--
	return key.Key(b) + "\xff\xff\xff\xff\xff\xff\xff\xff"
}

// page merges a page's items with everything up to the last of them. It
// reports false when the run may transfer no more.
func (m *merge) page(items []driver.Change, cursor []byte) (bool, error) {
	m.cursor = cursor
	for i := range items {
		it := &items[i].Item
		if it.Folder || items[i].Gone {
			continue // of no meaning where ids are paths and absence is absence
		}
		if more, err := m.upTo(sourceKey(it.ID), it); err != nil || !more {
			return more, err
		}
	}
	return m.decide()
}

// rest merges what the catalogue holds after the last item of the shard.
func (m *merge) rest(cursor []byte) (bool, error) {
	m.cursor = cursor
	if more, err := m.upTo("", nil); err != nil || !more {
		return more, err
	}
	return m.decide()
}

// upTo takes everything below a key ("": all), then the key's own item.
func (m *merge) upTo(k key.Key, item *driver.Item) (bool, error) {
	for {
		o, err := m.objects.peek()
		if err != nil {
			return false, err
		}
		l, err := m.letters.peek()
		if err != nil {
			return false, err
		}
		if o != nil && o.SourceID < m.sh.begin.From {
			m.objects.next()
			continue
		}
		if l != nil && l.SourceID < m.sh.begin.From {
			m.letters.next()
			continue
		}
		t := trio{}
		switch {
		case o != nil && (l == nil || o.SourceID <= l.SourceID):
			t.key, t.object = o.SourceID, o
			if l != nil && l.SourceID == o.SourceID {
				t.letter = l
			}
		case l != nil:
			t.key, t.letter = l.SourceID, l
		}
		none := o == nil && l == nil
		if item != nil && (none || t.key > k) {
			return m.take(trio{key: k, item: item})
		}
		if none {
			return true, nil
		}
		if t.object != nil {
			m.objects.next()
		}
		if t.letter != nil {
			m.letters.next()
		}
		if item != nil && t.key == k {
			t.item = item
			return m.take(t)
		}
		if more, err := m.take(t); err != nil || !more {
			return more, err
		}
	}
}

// take gathers a chunk, so that files are looked at together.
func (m *merge) take(t trio) (bool, error) {
	if t.item != nil {
		t.path = t.item.Path
	}
	m.chunk = append(m.chunk, t)
	if len(m.chunk) < mergeChunk {
		return true, nil
	}
	return m.decide()
}

// decide turns the chunk into counts and work.
func (m *merge) decide() (bool, error) {
	chunk := m.chunk
	m.chunk = nil
	if err := m.r.lookAtFiles(m.sh.ctx, chunk); err != nil {
		return false, err
	}
	for i := range chunk {
		t := &chunk[i]
		after := syncing.Position{Cursor: m.cursor, After: t.key}
		more, err := m.one(t, after)
		if t.item != nil {
			t.item.Inline = nil // the work holds it, until it is staged
		}
		if err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

func (m *merge) one(t *trio, after syncing.Position) (bool, error) {
	if t.item != nil {
		return m.r.decide(m.b, t, after)
	}
	if t.letter != nil && m.close {
		w := &work{act: closed, letter: t.letter.ID}
		if more, err := m.b.add(w, m.b.at); err != nil || !more { // its object may follow
			return more, err
		}
	}
	if o := t.object; o != nil && o.State == bucket.Present && o.Sync == m.r.sync.ID {
		return m.b.add(&work{act: absent, object: o.ID, known: o, item: driver.Item{ID: string(o.SourceID)}}, after)
	}
	return true, nil
}
