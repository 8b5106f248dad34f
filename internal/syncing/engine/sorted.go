package engine

import (
	"bufio"
	"container/heap"
	"encoding/gob"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// sorted lists everything first, sorts it on disk by raw source id in bounded
// memory, then merges like an ordered listing. Interrupted, it lists again and
// goes on after what is settled.
func (sh *shard) sorted() error {
	s, err := newSorter(sh.r)
	if err != nil {
		return err
	}
	defer s.remove()
	if err := sh.listInto(s); err != nil {
		return err
	}
	m := sh.r.newMerge(sh.ctx, sh)
	after := sh.begin.Position.After
	var some []driver.Change
	inline := 0
	flush := func() (bool, error) {
		more, err := m.page(some, nil)
		some, inline = some[:0:0], 0
		if err != nil || !more {
			return more, err
		}
		return true, m.b.cut(m.b.at, false)
	}
	err = s.each(func(it driver.Item) error {
		if sourceKey(it.ID) <= after {
			return nil
		}
		some = append(some, driver.Change{Item: it})
		if inline += len(it.Inline); len(some) < mergeChunk && inline < sh.r.limits.InlineBytes {
			return nil
		}
		more, err := flush()
		if err == nil && !more {
			return errStop
		}
		return err
	})
	if err == nil {
		var more bool
		if more, err = flush(); err == nil && !more {
			err = errStop
		}
	}
	if errors.Is(err, errStop) {
		return m.b.cut(m.b.at, false)
	}
	if err != nil {
		return err
	}
	return m.end(nil)
}

// errStop ends an iteration at the run's limit.
var errStop = errors.New("stop")

// listInto gives all items of the shard's scope to a sorter.
func (sh *shard) listInto(s *sorter) error {
	ps := sh.r.list(sh.ctx, sh.scope, nil)
	defer ps.close()
	for {
		pg, err := ps.next(sh.ctx)
		if err != nil {
			return err
		}
		if pg.Incomplete {
			if err := sh.r.noteIncomplete(sh.ctx); err != nil {
				return err
			}
		}
		for _, c := range pg.Changes {
			if c.Gone || c.Item.Folder {
				continue
			}
			if err := s.add(c.Item); err != nil {
				return err
			}
		}
		if !pg.More {
			return nil
		}
	}
}

// sorter sorts items on disk: runs of bounded size, then one merge of all.
type sorter struct {
	dir   string
	limit int
	buf   []driver.Item
	size  int
	runs  [][]string // of each level, in the order written; a level that is full becomes one run of the next
	files int
}

// mergeWidth bounds how many runs are open at once: each costs a buffer and a
// decoder.
const mergeWidth = 32

// registerOnce names the types that a row's columns may hold.
var registerOnce = sync.OnceFunc(func() {
	gob.Register([]any{})
	gob.Register(map[string]any{})
	gob.Register(time.Time{})
})

// sortFolder begins the names of the folders that sorting makes.
const sortFolder = "mooring-sort-"

func newSorter(r *runner) (*sorter, error) {
	registerOnce()
	dir, err := os.MkdirTemp(r.Scratch, sortFolder+"*")
	if err != nil {
		return nil, scratchError(err)
	}
	return &sorter{dir: dir, limit: r.limits.SortBytes}, nil
}

func (s *sorter) remove() { _ = os.RemoveAll(s.dir) }

func (s *sorter) add(it driver.Item) error {
	s.buf = append(s.buf, it)
	s.size += 250 + len(it.ID) + len(it.Path) + len(it.Version) + len(it.Inline) + 2*mapSize(it.Columns)
	if s.size < s.limit {
		return nil
	}
	return s.spill()
}

// sortBuffer orders the items at hand; of those with one id the last stays.
func (s *sorter) sortBuffer() {
	slices.SortStableFunc(s.buf, func(a, b driver.Item) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
}

// spill writes the items at hand as a run.
func (s *sorter) spill() error {
	s.sortBuffer()
	name, err := s.write(func(put func(*driver.Item) error) error {
		for i := range s.buf {
			if err := put(&s.buf[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.buf, s.size = nil, 0
	return s.addRun(0, name)
}

// addRun adds a run to a level, and makes one of the level when it is full.
func (s *sorter) addRun(level int, name string) error {
	if level == len(s.runs) {
		s.runs = append(s.runs, nil)
	}
	s.runs[level] = append(s.runs[level], name)
	full := s.runs[level]
	if len(full) < mergeWidth {
		return nil
	}
	merged, err := s.write(func(put func(*driver.Item) error) error {
		return mergeRuns(full, nil, func(it driver.Item) error { return put(&it) })
	})
	if err != nil {
		return err
	}
	for _, f := range full {
		_ = os.Remove(f)
	}
	s.runs[level] = nil
	return s.addRun(level+1, merged)
}

// write makes a run file of what a function puts into it.
func (s *sorter) write(fill func(put func(*driver.Item) error) error) (name string, err error) {
	s.files++
	f, err := os.OpenFile(filepath.Join(s.dir, strconv.Itoa(s.files)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", scratchError(err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = scratchError(closeErr)
		}
	}()
	w := bufio.NewWriterSize(f, 64<<10)
	enc := gob.NewEncoder(w)
	if err := fill(func(it *driver.Item) error { return scratchError(enc.Encode(it)) }); err != nil {
		return "", err
	}
	return f.Name(), scratchError(w.Flush())
}

func scratchError(err error) error {
	var e *errs.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &errs.Error{Kind: errs.Unavailable, Origin: errs.Ours, Op: "sync.sort", Msg: "sorting the listing on disk failed", Err: err}
}

// each calls f with every item in order of its id, each id once.
func (s *sorter) each(f func(driver.Item) error) error {
	s.sortBuffer()
	var runs []string // the oldest first
	for _, level := range slices.Backward(s.runs) {
		runs = append(runs, level...)
	}
	return mergeRuns(runs, s.buf, f)
}

// mergeRuns merges runs and a last one in memory. Of items with one id the one
// of the last run wins.
func mergeRuns(runs []string, buf []driver.Item, f func(driver.Item) error) error {
	h := &heads{}
	defer h.close()
	for _, name := range runs {
		file, err := os.Open(name)
		if err != nil {
			return scratchError(err)
		}
		h.files = append(h.files, file)
		if err := h.push(&head{dec: gob.NewDecoder(bufio.NewReaderSize(file, 64<<10)), run: len(h.files)}); err != nil {
			return err
		}
	}
	if err := h.push(&head{buf: buf, run: len(h.files) + 1}); err != nil {
		return err
	}
	for h.Len() > 0 {
		top := h.list[0]
		it := top.item
		if err := h.advance(); err != nil {
			return err
		}
		if h.Len() > 0 && h.list[0].item.ID == it.ID {
			continue // a later one of the same id follows
		}
		if err := f(it); err != nil {
			return err
		}
	}
	return nil
}

// head is the next item of a run.
type head struct {
	item driver.Item
	run  int // runs written later win among equal ids
	dec  *gob.Decoder
	buf  []driver.Item
}

// read fills item, and reports false at the end of the run.
func (h *head) read() (bool, error) {
	if h.dec == nil {
		if len(h.buf) == 0 {
			return false, nil
		}
		h.item, h.buf = h.buf[0], h.buf[1:]
		return true, nil
	}
	h.item = driver.Item{}
	err := h.dec.Decode(&h.item)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, scratchError(err)
}

// heads is a heap of runs by their next item.
type heads struct {
	list  []*head
	files []*os.File
}

func (h *heads) Len() int { return len(h.list) }
func (h *heads) Less(i, j int) bool {
	a, b := h.list[i], h.list[j]
	return a.item.ID < b.item.ID || a.item.ID == b.item.ID && a.run < b.run
}
func (h *heads) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *heads) Push(x any)    { h.list = append(h.list, x.(*head)) }
func (h *heads) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

func (h *heads) push(x *head) error {
	ok, err := x.read()
	if ok {
		heap.Push(h, x)
	}
	return err
}

// advance moves the first run on.
func (h *heads) advance() error {
	ok, err := h.list[0].read()
	switch {
	case err != nil:
		return err
	case ok:
		heap.Fix(h, 0)
	default:
		heap.Pop(h)
	}
	return nil
}

func (h *heads) close() {
	for _, f := range h.files {
		_ = f.Close()
	}
}
