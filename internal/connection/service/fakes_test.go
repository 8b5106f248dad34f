package service_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/store"
)

// memory is store.Connections over BSON in a map. Each update calls the change
// once in vain first, as a store that meets another writer does.
type memory struct {
	mu      sync.Mutex
	docs    map[id.Connection][]byte
	order   []id.Connection
	touched map[id.Connection]int
	audit   []audit.Entry
	events  []event.Event
	beats   int
}

var _ store.Connections = (*memory)(nil)

func (m *memory) Insert(_ context.Context, org id.Org, doc connection.Connection) (connection.Connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if doc.Org != org {
		return doc, errs.New(errs.Internal, "memory", "another organization")
	}
	for _, other := range m.all() {
		if other.Name == doc.Name && other.Org == org && other.Status != connection.Archived {
			return doc, errs.New(errs.AlreadyExists, "memory", "")
		}
	}
	doc.Revision = 1
	m.order = append(m.order, doc.ID)
	return m.write(doc)
}

func (m *memory) write(doc connection.Connection) (connection.Connection, error) {
	m.audit = append(m.audit, doc.Outbox.Audit...)
	m.events = append(m.events, doc.Outbox.Events...)
	doc.Outbox.Audit, doc.Outbox.Events = nil, nil
	data, err := bson.Marshal(doc)
	if err != nil {
		return doc, err
	}
	m.docs[doc.ID] = data
	return m.read(doc.Org, doc.ID)
}

func (m *memory) read(org id.Org, conn id.Connection) (c connection.Connection, err error) {
	data, ok := m.docs[conn]
	if ok {
		err = bson.Unmarshal(data, &c)
	}
	if !ok || c.Org != org {
		return connection.Connection{}, errs.New(errs.NotFound, "memory", "")
	}
	return c, err
}

func (m *memory) all() (list []connection.Connection) {
	for _, conn := range slices.Backward(m.order) {
		var c connection.Connection
		_ = bson.Unmarshal(m.docs[conn], &c)
		list = append(list, c)
	}
	return list
}

func (m *memory) Get(ctx context.Context, org id.Org, conn id.Connection) (connection.Connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return connection.Connection{}, err
	}
	return m.read(org, conn)
}

func (m *memory) Update(ctx context.Context, org id.Org, conn id.Connection, change func(*connection.Connection) error) (connection.Connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return connection.Connection{}, err
	}
	var doc connection.Connection
	for range 2 {
		var err error
		if doc, err = m.read(org, conn); err != nil {
			return doc, err
		}
		if err := change(&doc); err != nil {
			return connection.Connection{}, err
		}
	}
	doc.Revision++
	return m.write(doc)
}

func (m *memory) ByName(_ context.Context, org id.Org, name string) (connection.Connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var best *connection.Connection
	for _, c := range m.all() { // newest first
		if c.Org == org && c.Name == name && (best == nil || c.Status != connection.Archived) {
			best = &c
		}
	}
	if best == nil {
		return connection.Connection{}, errs.New(errs.NotFound, "memory", "")
	}
	return *best, nil
}

func (m *memory) List(_ context.Context, _ id.Org, _ connection.Filter, _ store.Page) (store.List[connection.Connection], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return store.List[connection.Connection]{Items: m.all()}, nil
}

func (m *memory) Count(_ context.Context, _ id.Org, _ connection.Filter) (int64, error) {
	return int64(len(m.docs)), nil
}

func (m *memory) Touch(_ context.Context, _ id.Org, conn id.Connection) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.touched[conn]++
	return nil
}

// Beat refuses every second beat, as a store does whose record has changed.
func (m *memory) Beat(_ context.Context, org id.Org, conn id.Connection, revision int64, b connection.Beat) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	doc, err := m.read(org, conn)
	if m.beats++; err != nil || doc.Revision != revision || m.beats%2 == 0 {
		return false, err
	}
	if b.CheckedAt != nil {
		doc.LastCheckedAt = b.CheckedAt
	}
	doc.LastSuccessAt, doc.NextCheckAt = &b.SuccessAt, &b.NextCheckAt
	_, err = m.write(doc)
	return err == nil, err
}

// provider is a fake adapter: what it was opened with, and what it answers.
type provider struct {
	mu     sync.Mutex
	opened []config.Config
	checks int
	err    error // of Check and Browse
	check  func(ctx context.Context) error
	use    func(ctx context.Context, c config.Config, t driver.Tokens) error // at Check
}

func (p *provider) Open(_ context.Context, name string, c config.Config, t driver.Tokens) (service.Prober, error) {
	if name != c.Provider {
		return nil, errs.New(errs.Internal, "fake", "another provider")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = append(p.opened, c)
	if p.use == nil {
		return p, nil
	}
	using := &provider{err: p.err}
	using.check = func(ctx context.Context) error { return p.use(ctx, c, t) }
	return using, nil
}

func (p *provider) last() config.Config { return p.opened[len(p.opened)-1] }

func (p *provider) Check(ctx context.Context, target string) (driver.Report, error) {
	p.mu.Lock()
	p.checks++
	err := p.err
	p.mu.Unlock()
	if p.check != nil {
		if err := p.check(ctx); err != nil {
			return driver.Report{}, err
		}
	}
	return driver.Report{Message: "read " + target, Details: map[string]any{"region": "eu-west-1"}}, err
}

func (p *provider) Browse(_ context.Context, path, _ string, _ int) (driver.Listing, error) {
	return driver.Listing{Items: []driver.Item{{ID: path}}}, p.err
}

func (p *provider) Close() error { return nil }

type organizations struct{}

func (organizations) Get(_ context.Context, org id.Org, self id.Org) (access.Organization, error) {
	return access.Organization{ID: self, DataKey: 2}, nil
}

const org = id.Org("int_abcdefghijklmnopqrstuvwx")

var actor = audit.Actor{ID: "key_x", Type: audit.ByAPIKey}

// rig is a service on fakes, but with real sealing, and a clock that moves on
// by a second each time it is read.
type rig struct {
	*service.Service
	t        *testing.T
	conns    *memory
	provider *provider
	shared   bool
	isolated bool
	deps     service.Deps
	sealer   *csfle.Sealer
}

// rebuild makes a service with other dependencies on the same store.
func (r *rig) rebuild(change func(*service.Deps)) *service.Service {
	d := r.deps
	change(&d)
	return service.New(d)
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, conns: &memory{docs: map[id.Connection][]byte{}, touched: map[id.Connection]int{}}, provider: &provider{}}
	var mu sync.Mutex
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r.sealer = csfle.NewSealer(csfle.NewKeyring(new(csfle.MemoryVault), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{}))
	r.deps = service.Deps{
		Connections: r.conns, Organizations: organizations{}, Sealer: r.sealer, Opener: r.provider,
		Shared:   func(context.Context) (bool, error) { return r.shared, nil },
		Isolated: func(context.Context) bool { return r.isolated },
		Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(time.Second)
			return now
		},
	}
	r.Service = service.New(r.deps)
	return r
}

const canary = "canary/secret+access=key-of-forty-two-chars"

func s3(change ...string) map[string]any {
	creds := map[string]any{"access_key_id": "AKIAEXAMPLEEXAMPLE00", "secret_access_key": canary}
	c := map[string]any{"region": "eu-west-1", "bucket": "media", "credentials": creds}
	for i := 0; i < len(change); i += 2 {
		if _, of := creds[change[i]]; of || change[i] == "session_token" {
			creds[change[i]] = change[i+1]
		} else {
			c[change[i]] = change[i+1]
		}
	}
	return c
}

func (r *rig) create(name string) connection.Connection {
	r.t.Helper()
	c, err := r.Create(r.t.Context(), org, actor, service.CreateRequest{Name: name, Provider: "s3", ProviderConfig: s3(), User: "usr_x"})
	if err != nil {
		r.t.Fatalf("create: %v %+v", err, errs.From(err).Fields)
	}
	return c
}

func (r *rig) get(c connection.Connection) connection.Connection {
	r.t.Helper()
	c, err := r.Get(r.t.Context(), org, string(c.ID))
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func refusal(k errs.Kind, code string) error {
	return &errs.Error{Kind: k, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "s3.check",
		Msg: "S3 refused the credentials", Code: code, RequestID: "REQ1", Err: fmt.Errorf("body with %s", canary)}
}
