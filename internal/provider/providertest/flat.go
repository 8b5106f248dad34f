package providertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"sort"
	"strings"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
)

// Epoch is the time at which the clocks of the fakes begin.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// FlatOptions configure a Flat. The zero value is useful.
type FlatOptions struct {
	Bucket   string // "data" when empty
	PageSize int    // 1000 when 0
	// Unordered gives items in no order, always.
	Unordered bool
	// NoChecksums opens items without checksums.
	NoChecksums bool

	// Synthetic is how many generated keys there are below those that are put.
	// They take no memory: 10 million can be listed.
	Synthetic int
	// SyntheticKey names generated item i; it must be pure and increase with i in
	// byte order. The default is 12 decimal digits.
	SyntheticKey func(i int) string
	// SyntheticSize is the size of each generated item.
	SyntheticSize int64
}

// Flat is an ordered source of keys like an S3 bucket. Items have the id
// "bucket/key"; a scope is "bucket" or "bucket/prefix", which takes the keys
// below "prefix/" and the key "prefix" itself. It is a driver.Splitter and a
// driver.Attributer.
type Flat struct {
	Script
	opts FlatOptions

	mu      sync.Mutex
	puts    int
	objects map[string]*flatObject // by key; a nil covers a generated one
	sorted  []string               // the keys of objects, in order, when not dirty
	dirty   bool
	hint    int // the generated key that is probably asked for next
}

type flatObject struct {
	key        string
	body       body
	version    string
	modified   time.Time
	skip       string
	mime       string
	attributes driver.Attributes
}

// NewFlat makes a source.
func NewFlat(o FlatOptions) *Flat {
	if o.Bucket == "" {
		o.Bucket = "data"
	}
	if o.PageSize <= 0 {
		o.PageSize = 1000
	}
	if o.SyntheticKey == nil {
		o.SyntheticKey = func(i int) string { return fmt.Sprintf("%012d", i) }
	}
	return &Flat{opts: o, objects: map[string]*flatObject{}}
}

// ID returns the id of a key's item.
func (f *Flat) ID(k string) string { return f.opts.Bucket + "/" + k }

// Put writes an object. Each Put makes a new version.
func (f *Flat) Put(k string, content []byte) { f.put(k, memory(strings.Clone(string(content))), "") }

// PutGenerated writes an object of n bytes that take no memory. The same seed
// gives the same bytes.
func (f *Flat) PutGenerated(k string, seed uint64, n int64) { f.put(k, generated{seed, n}, "") }

// PutSkipped writes an object that can't be read, for the reason given.
func (f *Flat) PutSkipped(k string, content []byte, reason string) {
	f.put(k, memory(content), reason)
}

func (f *Flat) put(k string, b body, skip string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.puts++
	if _, known := f.objects[k]; !known {
		f.dirty = true
	}
	f.objects[k] = &flatObject{
		key: k, body: b, skip: skip, version: fmt.Sprintf("v%d", f.puts),
		modified: Epoch.Add(time.Duration(f.puts) * time.Second),
	}
}

// SetAttributes gives an object that was put attributes.
func (f *Flat) SetAttributes(k string, a driver.Attributes) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o := f.objects[k]; o != nil {
		o.attributes = a
	}
}

// Delete removes an object; none is no error.
func (f *Flat) Delete(k string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.generatedAt(k) >= 0 {
		if _, known := f.objects[k]; !known {
			f.dirty = true
		}
		f.objects[k] = nil
		return
	}
	if _, known := f.objects[k]; known {
		delete(f.objects, k)
		f.dirty = true
	}
}

// Content returns the content of an item by id, or nil.
func (f *Flat) Content(id string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, _, _ := f.lookup(id)
	if o == nil {
		return nil
	}
	b, _ := io.ReadAll(o.body.from(0))
	return b
}

// generatedAt returns the number of the generated key k, or -1.
func (f *Flat) generatedAt(k string) int {
	i := sort.Search(f.opts.Synthetic, func(i int) bool { return f.opts.SyntheticKey(i) >= k })
	if i < f.opts.Synthetic && f.opts.SyntheticKey(i) == k {
		return i
	}
	return -1
}

// generatedFrom returns the number of the first generated key not below k.
// Mostly it is the one after the one given last. The lock is held.
func (f *Flat) generatedFrom(k string) int {
	n := f.opts.Synthetic
	if h := f.hint; h < n && f.opts.SyntheticKey(h) >= k && (h == 0 || f.opts.SyntheticKey(h-1) < k) {
		return h
	}
	return sort.Search(n, func(i int) bool { return f.opts.SyntheticKey(i) >= k })
}

func (f *Flat) synthetic(i int) *flatObject {
	return &flatObject{
		key: f.opts.SyntheticKey(i), body: generated{uint64(i), f.opts.SyntheticSize}, version: fmt.Sprintf("g%d", i), modified: Epoch,
	}
}

// get returns the object of a key, or nil. The lock is held.
func (f *Flat) get(k string) *flatObject {
	if o, known := f.objects[k]; known {
		return o
	}
	if i := f.generatedAt(k); i >= 0 {
		return f.synthetic(i)
	}
	return nil
}

// lookup finds an item by its id; ok is false for another bucket's. The lock is held.
func (f *Flat) lookup(id string) (o *flatObject, k string, ok bool) {
	k, ok = strings.CutPrefix(id, f.opts.Bucket+"/")
	if !ok {
		return nil, "", false
	}
	return f.get(k), k, true
}

// ceil returns the first object whose key is not below k, or nil. The lock is held.
func (f *Flat) ceil(k string) *flatObject {
	if f.dirty {
		f.sorted = f.sorted[:0]
		for k := range maps.Keys(f.objects) {
			f.sorted = append(f.sorted, k)
		}
		sort.Strings(f.sorted)
		f.dirty = false
	}
	at := sort.SearchStrings(f.sorted, k)
	gen := f.generatedFrom(k)
	for {
		var lower string
		if gen < f.opts.Synthetic {
			lower = f.opts.SyntheticKey(gen)
		}
		switch {
		case at >= len(f.sorted) && gen >= f.opts.Synthetic:
			return nil
		case at >= len(f.sorted) || gen < f.opts.Synthetic && lower < f.sorted[at]:
			f.hint = gen + 1
			return f.synthetic(gen)
		}
		if gen < f.opts.Synthetic && lower == f.sorted[at] {
			gen++
		}
		if o := f.objects[f.sorted[at]]; o != nil {
			return o
		}
		at++
	}
}

// flatScope is a scope of keys, read from a driver.Scope.
type flatScope struct {
	base     string // how keys of the scope begin, "" for all; the key base without its slash belongs too
	from, to string // half-open; to "" is unbounded
}

func (f *Flat) scope(s driver.Scope) (flatScope, error) {
	name, prefix, _ := strings.Cut(s.Path, "/")
	if name != f.opts.Bucket {
		return flatScope{}, failure(errs.NotFound, errs.ScopePath, "NoSuchBucket", "there is no such bucket")
	}
	out := flatScope{base: prefix}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		out.base += "/"
	}
	root := f.opts.Bucket + "/"
	if s.From > key.Key(root) {
		out.from = strings.TrimPrefix(string(s.From), root)
	}
	if s.To != "" {
		out.to = strings.TrimPrefix(string(s.To), root)
	}
	return out, nil
}

func (s flatScope) has(k string) bool {
	return (strings.HasPrefix(k, s.base) || s.base != "" && k+"/" == s.base) && k >= s.from && (s.to == "" || k < s.to)
}

// next returns the first object of the scope whose key is not below k. The lock is held.
func (f *Flat) next(s flatScope, k string) *flatObject {
	k = max(k, s.from)
	if exact := strings.TrimSuffix(s.base, "/"); exact != s.base && k <= exact {
		if o := f.get(exact); o != nil && s.has(exact) {
			return o
		}
	}
	o := f.ceil(max(k, s.base))
	if o == nil || !s.has(o.key) {
		return nil
	}
	return o
}

func (f *Flat) item(o *flatObject, base string) driver.Item {
	rel := strings.TrimPrefix(o.key, base)
	if o.key+"/" == base {
		rel = o.key[strings.LastIndexByte(o.key, '/')+1:]
	}
	return driver.Item{
		ID: f.ID(o.key), Path: o.key, Rel: rel, Name: o.key[strings.LastIndexByte(o.key, '/')+1:],
		Size: o.body.size(), Version: o.version, ModifiedAt: o.modified, MIME: o.mime, Skip: o.skip,
	}
}

// flatCursor is where an enumeration goes on: after a key, or at a place of
// the order that is none.
type flatCursor struct {
	Page  int    `json:"page"`
	After []byte `json:"after,omitempty"`
	At    int    `json:"at,omitempty"`
}

// Changes implements driver.Source.
func (f *Flat) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	var c flatCursor
	if len(cur) > 0 {
		if err := json.Unmarshal(cur, &c); err != nil {
			return driver.Page{}, failure(errs.CursorExpired, errs.ScopePath, "InvalidToken", "the cursor is not one of ours")
		}
	}
	e, err := f.begin(ctx, Call{Method: Changes, ID: scope.Path, Page: c.Page + 1})
	if err != nil {
		return driver.Page{}, err
	}
	s, err := f.scope(scope)
	if err != nil {
		return driver.Page{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := driver.Page{Snapshot: true, Ordered: !f.opts.Unordered && !scope.Unordered}
	if p.Ordered {
		p.Changes, p.More = f.ordered(s, len(cur) > 0, &c)
	} else {
		p.Changes, p.More = f.scrambled(s, &c)
	}
	if p.More {
		c.Page++
		p.Next, _ = json.Marshal(c)
	}
	return e.page(scope, p)
}

// ordered gives the page after c in the order of keys. The lock is held.
func (f *Flat) ordered(s flatScope, started bool, c *flatCursor) (out []driver.Change, more bool) {
	k := ""
	if started {
		k = string(c.After) + "\x00"
	}
	for o := f.next(s, k); o != nil; o = f.next(s, o.key+"\x00") {
		if len(out) == f.opts.PageSize {
			return out, true
		}
		out = append(out, driver.Change{Item: f.item(o, s.base)})
		c.After = []byte(o.key)
	}
	return out, false
}
