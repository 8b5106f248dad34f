package providertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"sort"
	"strings"
	"sync"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// RowsOptions configure a Rows. The zero value is useful.
type RowsOptions struct {
	Table    string // "DB.PUBLIC.ITEMS" when empty
	PageSize int    // 1000 when 0
	// Unordered gives rows in no order, always.
	Unordered bool
}

// Rows is a source of rows, like a table: each item's content is its columns as
// JSON, inline unless it is longer than driver.MaxInline. Items have the id
// "table/key"; the scope is the table.
type Rows struct {
	Script
	opts RowsOptions
	mu   sync.Mutex
	rows map[string]map[string]any // columns by key, never changed in place
}

var _ driver.Source = (*Rows)(nil)

// NewRows makes a source.
func NewRows(o RowsOptions) *Rows {
	if o.Table == "" {
		o.Table = "DB.PUBLIC.ITEMS"
	}
	if o.PageSize <= 0 {
		o.PageSize = 1000
	}
	return &Rows{opts: o, rows: map[string]map[string]any{}}
}

// ID returns the id of a key's item.
func (r *Rows) ID(k string) string { return r.opts.Table + "/" + k }

// Put writes a row. Columns are what JSON can hold.
func (r *Rows) Put(k string, columns map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows[k] = maps.Clone(columns)
}

// Delete removes a row; none is no error.
func (r *Rows) Delete(k string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rows, k)
}

func (r *Rows) item(k string, columns map[string]any) (driver.Item, []byte) {
	b, _ := json.Marshal(columns)
	h := sha256.Sum256(b)
	name := k + ".json"
	it := driver.Item{
		ID: r.ID(k), Path: name, Rel: name, Name: name[strings.LastIndexByte(name, '/')+1:],
		Size: int64(len(b)), Version: hex.EncodeToString(h[:]), ModifiedAt: Epoch, MIME: "application/json",
		Columns: maps.Clone(columns),
	}
	if len(b) <= driver.MaxInline {
		it.Inline = b
	}
	return it, b
}

func (r *Rows) table(path string) error {
	if path != r.opts.Table {
		return failure(errs.NotFound, errs.ScopePath, "002003", "there is no such table")
	}
	return nil
}

// Check implements driver.Source.
func (r *Rows) Check(ctx context.Context, target string) (driver.Report, error) {
	if _, err := r.begin(ctx, Call{Method: Check, ID: target}); err != nil {
		return driver.Report{}, err
	}
	if target != "" {
		if err := r.table(target); err != nil {
			return driver.Report{}, err
		}
	}
	return driver.Report{Message: "connected", Details: map[string]any{"requests": 1}}, nil
}

// Browse implements driver.Source: the table, then its rows.
func (r *Rows) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	if _, err := r.begin(ctx, Call{Method: Browse, ID: path}); err != nil {
		return driver.Listing{}, err
	}
	if path == "" {
		return driver.Listing{Items: []driver.Item{{ID: r.opts.Table, Name: r.opts.Table, Path: r.opts.Table, Folder: true, Size: -1}}}, nil
	}
	if err := r.table(path); err != nil {
		return driver.Listing{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out driver.Listing
	for _, k := range r.keys(driver.Scope{}, false) {
		if k < page {
			continue
		}
		if len(out.Items) == limit {
			out.Next = k
			break
		}
		it, _ := r.item(k, r.rows[k])
		out.Items = append(out.Items, it)
	}
	return out, nil
}

// keys returns the keys of a scope's range. The lock is held.
func (r *Rows) keys(s driver.Scope, scrambled bool) []string {
	var out []string
	for k := range r.rows {
		if id := r.ID(k); id >= string(s.From) && (s.To == "" || id < string(s.To)) {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if scrambled {
			return scramble(out[i]) < scramble(out[j])
		}
		return out[i] < out[j]
	})
	return out
}

type rowsCursor struct {
	Page  int    `json:"page"`
	After []byte `json:"after"`
}

// Changes implements driver.Source.
func (r *Rows) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	var c rowsCursor
	if len(cur) > 0 {
		if err := json.Unmarshal(cur, &c); err != nil {
			return driver.Page{}, failure(errs.CursorExpired, errs.ScopePath, "InvalidToken", "the cursor is not one of ours")
		}
	}
	e, err := r.begin(ctx, Call{Method: Changes, ID: scope.Path, Page: c.Page + 1})
	if err != nil {
		return driver.Page{}, err
	}
	if err := r.table(scope.Path); err != nil {
		return driver.Page{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	scrambled := r.opts.Unordered || scope.Unordered
	rank := func(k string) string { return k }
	if scrambled {
		rank = func(k string) string { return hex.EncodeToString(be(scramble(k))) }
	}
	p := driver.Page{Snapshot: true, Ordered: !scrambled}
	last := string(c.After)
	for _, k := range r.keys(scope, scrambled) {
		if len(cur) > 0 && rank(k) <= rank(last) {
			continue
		}
		if len(p.Changes) == r.opts.PageSize {
			p.More = true
			p.Next, _ = json.Marshal(rowsCursor{Page: c.Page + 1, After: c.After})
			break
		}
		it, _ := r.item(k, r.rows[k])
		p.Changes = append(p.Changes, driver.Change{Item: it})
		c.After = []byte(k)
	}
	return e.page(scope, p)
}

func be(n uint64) []byte {
	return []byte{byte(n >> 56), byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

func (r *Rows) find(id string) (driver.Item, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := strings.CutPrefix(id, r.opts.Table+"/")
	columns, known := r.rows[k]
	if !ok || !known {
		return driver.Item{}, nil, failure(errs.NotFound, errs.ScopeObject, "NoSuchRow", "there is no such row")
	}
	it, b := r.item(k, columns)
	return it, b, nil
}

// Stat implements driver.Source.
func (r *Rows) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	if _, err := r.begin(ctx, Call{Method: Stat, ID: id}); err != nil {
		return driver.Item{}, err
	}
	if err := r.table(scope.Path); err != nil {
		return driver.Item{}, err
	}
	it, _, err := r.find(id)
	if err == nil && (id < string(scope.From) || scope.To != "" && id >= string(scope.To)) {
		return driver.Item{}, failure(errs.NotFound, errs.ScopeObject, "NoSuchRow", "there is no such row in the scope")
	}
	return it, err
}

// Open implements driver.Source.
func (r *Rows) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	e, err := r.begin(ctx, Call{Method: Open, ID: item.ID})
	if err != nil {
		return nil, err
	}
	it, b, err := r.find(item.ID)
	if err != nil {
		return nil, err
	}
	if it.Version != item.Version {
		return nil, failure(errs.Stale, errs.ScopeObject, "RowChanged", "the row has changed since it was listed")
	}
	return r.openBody(ctx, item.ID, memory(b), off, e, false)
}

// Close implements driver.Source.
func (r *Rows) Close() error { return nil }
