// Package provider is what the rest of Mooring sees of a storage provider: a
// Source around an adapter's driver.Source that retries, keeps within the
// budget of its credential, measures, and lets no secret and no text of a
// provider's out in an error.
package provider

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Registry names the adapters there are. It is built explicitly (package all).
type Registry map[string]driver.Opener

// Deps are what a Source works with. Only Registry and Options.Transport are
// needed; the rest has defaults.
type Deps struct {
	Registry Registry
	Options  driver.Options
	// Endpoints are Options.Endpoints by provider.
	Endpoints map[string]map[string]string
	// Budgets are shared by all sources of a process; nil: one of its own.
	Budgets *Budgets
	// Metrics counts calls; nil: nothing.
	Metrics Metrics
	// Tries bounds how often a call is made, 5 when 0. A Check, for which
	// somebody waits, is made at most twice.
	Tries int
	// MaxWait bounds one wait; where a provider asks for a longer one the
	// error is returned at once. 1 minute when 0.
	MaxWait time.Duration
	// Sleep waits for d or until ctx ends; nil: on the real clock. Options.Now
	// is the clock it goes with.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0, 1); nil: a random one.
	Jitter func() float64
}

// Source is an open connection as its users see it. It is a driver.Source, with
// the same promises; what it adds is retry of Throttled and Unavailable. A
// transfer that breaks after Open is not resumed here: its user does that, by
// offset. It is safe for concurrent use.
type Source struct {
	name    string
	driver  driver.Source
	deps    Deps
	budget  *budget
	scrub   scrubber
	release func()
}

// Open makes a Source of a configuration by the adapter of that name. It makes
// no request.
func Open(ctx context.Context, name string, c config.Config, d Deps) (*Source, error) {
	open, ok := d.Registry[name]
	if !ok {
		return nil, errs.New(errs.Invalid, "provider.open", "there is no adapter for "+name+"; known are "+d.Registry.names())
	}
	if d.Options.Now == nil {
		d.Options.Now = time.Now
	}
	if d.Options.Endpoints == nil {
		d.Options.Endpoints = d.Endpoints[name]
	}
	if d.Options.Tokens == nil {
		d.Options.Tokens = NewTokens(d.Options.Now)
	}
	src, err := open(ctx, c, d.Options)
	if err != nil {
		return nil, newScrubber(c).error(err, name+".open")
	}
	return New(name, src, c, d), nil
}

// New wraps a driver's source. c is what it was opened with: its secrets are
// what errors must not hold, and it tells credentials apart.
func New(name string, src driver.Source, c config.Config, d Deps) *Source {
	if d.Options.Now == nil {
		d.Options.Now = time.Now
	}
	if d.Budgets == nil {
		d.Budgets = NewBudgets(0)
	}
	if d.Metrics == nil {
		d.Metrics = noMetrics{}
	}
	if d.Tries <= 0 {
		d.Tries = 5
	}
	if d.MaxWait <= 0 {
		d.MaxWait = time.Minute
	}
	if d.Sleep == nil {
		d.Sleep = sleep
	}
	if d.Jitter == nil {
		d.Jitter = random
	}
	s := &Source{name: name, driver: src, deps: d, scrub: newScrubber(c)}
	s.budget, s.release = d.Budgets.of(identity(name, src, c), d.Options.Now)
	return s
}

func (r Registry) names() string {
	var out []string
	for n := range r {
		out = append(out, n)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

var _ driver.Source = (*Source)(nil)

// Provider is the adapter's name.
func (s *Source) Provider() string { return s.name }

// Check implements driver.Source.
func (s *Source) Check(ctx context.Context, target string) (driver.Report, error) {
	r, err := call(ctx, s, "check", min(2, s.deps.Tries), func() (driver.Report, error) { return s.driver.Check(ctx, target) })
	return s.scrub.report(r), err
}

// Browse implements driver.Source.
func (s *Source) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	return call(ctx, s, "browse", min(3, s.deps.Tries), func() (driver.Listing, error) { return s.driver.Browse(ctx, path, page, limit) })
}

// Changes implements driver.Source.
func (s *Source) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	return call(ctx, s, "changes", s.deps.Tries, func() (driver.Page, error) { return s.driver.Changes(ctx, scope, cur) })
}

// Stat implements driver.Source.
func (s *Source) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	return call(ctx, s, "stat", s.deps.Tries, func() (driver.Item, error) { return s.driver.Stat(ctx, scope, id) })
}

// Open implements driver.Source. The reader is a driver.Checksummed; its
// checksums are nil where the adapter knows none.
func (s *Source) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	r, err := call(ctx, s, "open", s.deps.Tries, func() (io.ReadCloser, error) { return s.driver.Open(ctx, item, off) })
	if err != nil {
		return nil, err
	}
	return &reader{ReadCloser: r, source: s}, nil
}

// Splitter returns the source as a driver.Splitter, if its adapter is one.
func (s *Source) Splitter() (driver.Splitter, bool) {
	d, ok := s.driver.(driver.Splitter)
	return splitter{s, d}, ok
}

// Ranger returns the source as a driver.Ranger, if its adapter is one.
func (s *Source) Ranger() (driver.Ranger, bool) {
	d, ok := s.driver.(driver.Ranger)
	return ranger{s, d}, ok
}

// Attributer returns the source as a driver.Attributer, if its adapter is one.
func (s *Source) Attributer() (driver.Attributer, bool) {
	d, ok := s.driver.(driver.Attributer)
	return attributer{s, d}, ok
}

// Walker returns the source as a driver.Walker, if its adapter is one.
func (s *Source) Walker() (driver.Walker, bool) {
	d, ok := s.driver.(driver.Walker)
	return walker{s, d}, ok
}

// Close implements driver.Source.
func (s *Source) Close() error {
	s.release()
	return s.scrub.error(s.driver.Close(), s.name+".close")
}

type splitter struct {
	s *Source
	d driver.Splitter
}

// Split implements driver.Splitter.
func (p splitter) Split(ctx context.Context, scope driver.Scope, n int) ([]driver.Scope, error) {
	return call(ctx, p.s, "split", p.s.deps.Tries, func() ([]driver.Scope, error) { return p.d.Split(ctx, scope, n) })
}

type ranger struct {
	s *Source
	d driver.Ranger
}

// OpenRange implements driver.Ranger.
func (r ranger) OpenRange(ctx context.Context, item driver.Item, off, n int64) (io.ReadCloser, error) {
	body, err := call(ctx, r.s, "open", r.s.deps.Tries, func() (io.ReadCloser, error) { return r.d.OpenRange(ctx, item, off, n) })
	if err != nil {
		return nil, err
	}
	return &reader{ReadCloser: body, source: r.s}, nil
}

type attributer struct {
	s *Source
	d driver.Attributer
}

// Attributes implements driver.Attributer.
func (a attributer) Attributes(ctx context.Context, item driver.Item, want driver.Want) (driver.Attributes, error) {
	return call(ctx, a.s, "attributes", a.s.deps.Tries, func() (driver.Attributes, error) { return a.d.Attributes(ctx, item, want) })
}

type walker struct {
	s *Source
	d driver.Walker
}

// Walk implements driver.Walker.
func (w walker) Walk(ctx context.Context, scope driver.Scope, folder string, cur driver.Cursor) (driver.Page, error) {
	return call(ctx, w.s, "walk", w.s.deps.Tries, func() (driver.Page, error) { return w.d.Walk(ctx, scope, folder, cur) })
}

// reader counts what is read and scrubs what goes wrong.
type reader struct {
	io.ReadCloser
	source *Source
}

// Checksums implements driver.Checksummed.
func (r *reader) Checksums() []driver.Checksum {
	if c, ok := r.ReadCloser.(driver.Checksummed); ok {
		return c.Checksums()
	}
	return nil
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if n > 0 {
		r.source.deps.Metrics.Read(r.source.name, n)
	}
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF { //nolint:errorlint // a reader's contract is the bare value
		err = r.source.scrub.error(err, r.source.name+".read")
	}
	return n, err
}
