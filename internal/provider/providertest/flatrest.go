package providertest

import (
	"context"
	"hash/fnv"
	"io"
	"sort"
	"strings"

	"mooring/emulator/noise"
	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
)

var (
	_ driver.Source     = (*Flat)(nil)
	_ driver.Splitter   = (*Flat)(nil)
	_ driver.Ranger     = (*Flat)(nil)
	_ driver.Attributer = (*Flat)(nil)
)

// scrambled gives the page after c in an order that is none: what was put by a
// hash, then generated keys in strides. The lock is held.
func (f *Flat) scrambled(s flatScope, c *flatCursor) (out []driver.Change, more bool) {
	if c.At == 0 {
		keys := make([]string, 0, len(f.objects))
		for k, o := range f.objects {
			if o != nil && s.has(k) && (c.After == nil || scramble(k) > scramble(string(c.After))) {
				keys = append(keys, k)
			}
		}
		sort.Slice(keys, func(i, j int) bool { return scramble(keys[i]) < scramble(keys[j]) })
		for _, k := range keys {
			if len(out) == f.opts.PageSize {
				return out, true
			}
			out = append(out, driver.Change{Item: f.item(f.objects[k], s.base)})
			c.After = []byte(k)
		}
	}
	stride := strideOf(f.opts.Synthetic)
	for ; c.At < f.opts.Synthetic; c.At++ {
		o := f.synthetic(c.At * stride % f.opts.Synthetic)
		if _, covered := f.objects[o.key]; covered || !s.has(o.key) {
			continue
		}
		if len(out) == f.opts.PageSize {
			return out, true
		}
		out = append(out, driver.Change{Item: f.item(o, s.base)})
	}
	return out, false
}

func scramble(k string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(k))
	return noise.Mix(h.Sum64())
}

// strideOf returns a number that has no divisor in common with n, near its
// golden section.
func strideOf(n int) int {
	for s := n*5/8 + 1; ; s++ {
		a, b := s, n
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 || n == 0 {
			return s
		}
	}
}

// Check implements driver.Source.
func (f *Flat) Check(ctx context.Context, target string) (driver.Report, error) {
	if _, err := f.begin(ctx, Call{Method: Check, ID: target}); err != nil {
		return driver.Report{}, err
	}
	if target != "" {
		if _, err := f.scope(driver.Scope{Path: target}); err != nil {
			return driver.Report{}, err
		}
	}
	return driver.Report{Message: "connected", Details: map[string]any{"requests": 1}}, nil
}

// Browse implements driver.Source.
func (f *Flat) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	if _, err := f.begin(ctx, Call{Method: Browse, ID: path}); err != nil {
		return driver.Listing{}, err
	}
	if path == "" {
		return driver.Listing{Items: []driver.Item{{ID: f.opts.Bucket, Name: f.opts.Bucket, Path: f.opts.Bucket, Folder: true, Size: -1}}}, nil
	}
	s, err := f.scope(driver.Scope{Path: path})
	if err != nil {
		return driver.Listing{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out driver.Listing
	for o := f.ceil(max(page, s.base)); o != nil && strings.HasPrefix(o.key, s.base); {
		if len(out.Items) == limit {
			out.Next = o.key
			break
		}
		rel := o.key[len(s.base):]
		if dir, _, below := strings.Cut(rel, "/"); below {
			full := s.base + dir
			out.Items = append(out.Items, driver.Item{ID: f.ID(full + "/"), Path: f.opts.Bucket + "/" + full, Rel: dir, Name: dir, Folder: true, Size: -1})
			o = f.ceil(full + "0") // the byte after the slash
			continue
		}
		it := f.item(o, s.base)
		it.Path = f.opts.Bucket + "/" + o.key
		out.Items = append(out.Items, it)
		o = f.ceil(o.key + "\x00")
	}
	return out, nil
}

// Stat implements driver.Source.
func (f *Flat) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	if _, err := f.begin(ctx, Call{Method: Stat, ID: id}); err != nil {
		return driver.Item{}, err
	}
	s, err := f.scope(scope)
	if err != nil {
		return driver.Item{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o, k, ok := f.lookup(id)
	if !ok || o == nil || !s.has(k) {
		return driver.Item{}, failure(errs.NotFound, errs.ScopeObject, "NoSuchKey", "there is no such key")
	}
	return f.item(o, s.base), nil
}

// find returns the object of an item at the version listed.
func (f *Flat) find(item driver.Item) (*flatObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, _, _ := f.lookup(item.ID)
	switch {
	case o == nil:
		return nil, failure(errs.NotFound, errs.ScopeObject, "NoSuchKey", "there is no such key")
	case o.version != item.Version:
		return nil, failure(errs.Stale, errs.ScopeObject, "PreconditionFailed", "the object has changed since it was listed")
	case o.skip != "":
		return nil, failure(errs.Conflict, errs.ScopeObject, "InvalidObjectState", "the object can't be read")
	}
	c := *o
	return &c, nil
}

// Open implements driver.Source.
func (f *Flat) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	e, err := f.begin(ctx, Call{Method: Open, ID: item.ID})
	if err != nil {
		return nil, err
	}
	o, err := f.find(item)
	if err != nil {
		return nil, err
	}
	return f.openBody(ctx, item.ID, o.body, off, e, !f.opts.NoChecksums)
}

// OpenRange implements driver.Ranger.
func (f *Flat) OpenRange(ctx context.Context, item driver.Item, off, n int64) (io.ReadCloser, error) {
	e, err := f.begin(ctx, Call{Method: OpenRange, ID: item.ID})
	if err != nil {
		return nil, err
	}
	o, err := f.find(item)
	if err != nil {
		return nil, err
	}
	if n < 1 || off+n > o.body.size() {
		return nil, failure(errs.Stale, errs.ScopeObject, "InvalidRange", "the item is shorter than the range asked for")
	}
	r, err := f.openBody(ctx, item.ID, o.body, off, e, false)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, n), r}, nil
}

// Attributes implements driver.Attributer.
func (f *Flat) Attributes(ctx context.Context, item driver.Item, want driver.Want) (driver.Attributes, error) {
	if _, err := f.begin(ctx, Call{Method: Attributes, ID: item.ID}); err != nil {
		return driver.Attributes{}, err
	}
	o, err := f.find(item)
	if err != nil {
		return driver.Attributes{}, err
	}
	out := driver.Attributes{MIME: o.attributes.MIME}
	if want.Metadata {
		out.Metadata = o.attributes.Metadata
	}
	if want.Tags {
		out.Tags = o.attributes.Tags
	}
	if want.Properties {
		out.Properties = o.attributes.Properties
	}
	return out, nil
}

// Split implements driver.Splitter. Generated keys are split evenly; without
// any, those that were put are.
func (f *Flat) Split(ctx context.Context, scope driver.Scope, n int) ([]driver.Scope, error) {
	if _, err := f.begin(ctx, Call{Method: Split, ID: scope.Path}); err != nil {
		return nil, err
	}
	s, err := f.scope(scope)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ceil("") // sorts
	at, count := f.opts.SyntheticKey, f.opts.Synthetic
	if count == 0 {
		at, count = func(i int) string { return f.sorted[i] }, len(f.sorted)
	}
	first := sort.Search(count, func(i int) bool { return at(i) >= max(s.from, s.base) })
	last := sort.Search(count, func(i int) bool {
		k := at(i)
		return k >= max(s.from, s.base) && !s.has(k)
	})
	var out []driver.Scope
	rest := scope
	for i := 1; i < n && last > first; i++ {
		k := key.Key(f.ID(at(first + (last-first)*i/n)))
		if k <= rest.From || rest.To != "" && k >= rest.To {
			continue
		}
		part := rest
		part.To, rest.From = k, k
		out = append(out, part)
	}
	return append(out, rest), nil
}

// Close implements driver.Source.
func (f *Flat) Close() error { return nil }
