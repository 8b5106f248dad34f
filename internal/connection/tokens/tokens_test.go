package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/tokens"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
)

// world is a store with one connection, a token endpoint, and a clock.
type world struct {
	t        *testing.T
	store    *sqlite.Store
	vault    vault.Vault
	org      id.Org
	conn     connection.Connection
	config   config.Config
	endpoint *endpoint

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	w := &world{t: t, store: st, org: id.NewOrg(), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.vault = vault.Vault{Sealer: csfle.NewSealer(csfle.NewKeyring(st.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{})), Organizations: st.Organizations()}
	_, err = st.Organizations().Insert(t.Context(), w.org, access.Organization{ID: w.org, Name: "one", DataKey: 1, CreatedAt: w.now})
	must(t, err)
	w.config = config.Config{
		Provider: "google_drive", Fields: map[string]any{}, Credential: "oauth", Credentials: map[string]any{"client_id": "c"},
		Secrets: map[string]secret.String{"client_secret": secret.New("s"), "refresh_token": secret.New("refresh-0")},
	}
	c := connection.Connection{ID: id.NewConnection(), Org: w.org, Provider: "google_drive", Name: "drive", Status: connection.Active,
		CredentialsGeneration: 1, CreatedAt: w.now, Config: w.sealed("first")}
	w.conn, err = st.Connections().Insert(t.Context(), w.org, c)
	must(t, err)
	w.endpoint = &endpoint{w: w, valid: "refresh-0"}
	return w
}

// sealed is the configuration as stored; each mark is another refresh token.
func (w *world) sealed(mark string) config.Sealed {
	return config.Sealed{Provider: w.config.Provider, Credential: w.config.Credential, Credentials: w.config.Credentials,
		Secrets: map[string]bson.Binary{"refresh_token": {Subtype: 6, Data: []byte(mark)}}}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// process is a Keeper of its own, as another process has one.
func (w *world) process(change ...func(*tokens.Deps)) *tokens.Keeper {
	began := w.clock()
	d := tokens.Deps{Store: w.store.Tokens(), Connections: w.store.Connections(), Vault: w.vault, Now: w.clock,
		Elapsed: func() time.Duration { return w.clock().Sub(began) }}
	for _, c := range change {
		c(&d)
	}
	return tokens.New(d)
}

// patient makes a process's waiting move the clock.
func (w *world) patient(d *tokens.Deps) {
	d.Sleep = func(ctx context.Context, by time.Duration) error {
		w.pass(by)
		return ctx.Err()
	}
}

func (w *world) access(k *tokens.Keeper, refused string) (string, error) {
	w.t.Helper()
	got, err := k.Of(&w.conn, w.config).Access(w.t.Context(), secret.New(refused), w.endpoint.ask)
	return got.Reveal(), err
}

// want is access that must give a token.
func (w *world) want(k *tokens.Keeper, refused, token string) {
	w.t.Helper()
	if got, err := w.access(k, refused); err != nil || got != token {
		w.t.Fatalf("got %q, %v; want %q", got, err, token)
	}
}

// replace stores another configuration.
func (w *world) replace(mark string) {
	w.t.Helper()
	var err error
	w.conn, err = w.store.Connections().Update(w.t.Context(), w.org, w.conn.ID, func(c *connection.Connection) error {
		return connection.ReplaceConfig(c, w.sealed(mark), nil, audit.System(), w.clock())
	})
	must(w.t, err)
}

func (w *world) record() connection.Tokens {
	w.t.Helper()
	rec, err := w.store.Tokens().Get(w.t.Context(), w.org, w.conn.ID)
	must(w.t, err)
	return rec
}

// endpoint takes each refresh token once and gives another.
type endpoint struct {
	w      *world
	mu     sync.Mutex
	valid  string // "" : any
	n      int
	asked  int
	denied int
	fail   error
	hook   func() // after the exchange, before its answer arrives
}

func invalidGrant() error {
	return &errs.Error{Kind: errs.Unauthenticated, Origin: errs.Provider, Scope: errs.ScopeConnection, Code: "invalid_grant", Msg: "the refresh token was refused"}
}

func (e *endpoint) ask(ctx context.Context, refresh secret.String) (driver.Grant, error) {
	if err := ctx.Err(); err != nil {
		return driver.Grant{}, err
	}
	g, hook, err := e.exchange(refresh)
	if hook != nil {
		hook()
	}
	return g, err
}

func (e *endpoint) exchange(refresh secret.String) (driver.Grant, func(), error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	if e.fail != nil {
		return driver.Grant{}, nil, e.fail
	}
	if given := refresh.Reveal(); given != e.valid && (given != "" || e.valid != "refresh-0") {
		e.denied++
		return driver.Grant{}, nil, invalidGrant()
	}
	e.n++
	e.valid = fmt.Sprint("refresh-", e.n)
	return driver.Grant{Access: secret.New(fmt.Sprint("access-", e.n)), Expires: e.w.clock().Add(time.Hour), Refresh: secret.New(e.valid)}, e.hook, nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneRefreshPerExpiry is fifty goroutines in each of several processes, over
// several expiries, with refresh tokens that are good for one use.
func TestOneRefreshPerExpiry(t *testing.T) {
	w := newWorld(t)
	processes := make([]*tokens.Keeper, 4)
	for i := range processes {
		processes[i] = w.process()
	}
	for round := 1; round <= 5; round++ {
		var wg sync.WaitGroup
		var wrong atomic.Int64
		for _, k := range processes {
			for range 50 {
				wg.Go(func() {
					got, err := k.Of(&w.conn, w.config).Access(t.Context(), secret.String{}, w.endpoint.ask)
					if err != nil || got.Reveal() != fmt.Sprint("access-", round) {
						wrong.Add(1)
					}
				})
			}
		}
		wg.Wait()
		if wrong.Load() > 0 || w.endpoint.asked != round || w.endpoint.denied > 0 {
			t.Fatalf("round %d: %d wrong answers, %d requests, %d refused", round, wrong.Load(), w.endpoint.asked, w.endpoint.denied)
		}
		w.pass(59*time.Minute + time.Second)
	}
}

func TestRefusedTokenIsNotGivenAgain(t *testing.T) {
	w := newWorld(t)
	a, b := w.process(), w.process()
	w.want(a, "", "access-1")
	w.want(b, "", "access-1")
	w.want(a, "access-1", "access-2")
	w.want(b, "access-1", "access-2") // what the other process got
	w.want(a, "access-1", "access-2")
	if w.endpoint.asked != 2 {
		t.Errorf("%d requests, want 2", w.endpoint.asked)
	}
}

func TestNothingIsStoredInTheClear(t *testing.T) {
	w := newWorld(t)
	w.want(w.process(), "", "access-1")
	rec := w.record()
	if rec.Access == nil || rec.Access.Subtype != 6 || rec.Refresh == nil || rec.Refresh.Subtype != 6 || rec.Started != nil || rec.Generation != 1 {
		t.Errorf("the record is %+v", rec)
	}
}

// TestCallerGivesUp: what a token endpoint gave to somebody who has gone is kept.
func TestCallerGivesUp(t *testing.T) {
	w := newWorld(t)
	k := w.process()
	ctx, cancel := context.WithCancel(t.Context())
	w.endpoint.hook = cancel
	_, err := k.Of(&w.conn, w.config).Access(ctx, secret.String{}, w.endpoint.ask)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	k.Close(t.Context())
	w.endpoint.hook = nil
	w.want(w.process(), "", "access-1")
}

// lostSave drops what a process wants to save, once it was granted: as if it
// was killed.
type lostSave struct {
	store.Tokens
	w *world
}

var errKilled = errors.New("killed")

func (l lostSave) Update(ctx context.Context, org id.Org, conn id.Connection, change func(*connection.Tokens) error) (connection.Tokens, error) {
	if l.w.endpoint.n > 0 {
		return connection.Tokens{}, errKilled
	}
	return l.Tokens.Update(ctx, org, conn, change)
}

func TestKilledBeforeSaving(t *testing.T) {
	for name, change := range map[string]func(*world) func(*tokens.Deps){
		"other processes wait for the term": func(w *world) func(*tokens.Deps) { return w.patient },
		"there can be no other process":     func(*world) func(*tokens.Deps) { return func(d *tokens.Deps) { d.Exclusive = true } },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			dead := w.process(w.patient, func(d *tokens.Deps) { d.Store = lostSave{w.store.Tokens(), w} })
			if got, err := w.access(dead, ""); err == nil {
				t.Fatalf("a token that was not saved was given out: %q", got)
			}
			heir := w.process(change(w))
			for range 5 {
				_, err := w.access(heir, "")
				if e := errs.From(err); e.Kind != errs.Unauthenticated || e.Code != tokens.CodeReauthorize || e.Scope != errs.ScopeConnection || e.Origin != errs.Provider {
					t.Fatalf("got %+v, want reauth_required", e)
				}
			}
			if w.endpoint.asked != 2 || w.endpoint.denied != 1 {
				t.Errorf("%d requests, %d refused; want 2 and 1", w.endpoint.asked, w.endpoint.denied)
			}
			w.replace("another consent") // which ends it
			w.endpoint.valid, w.endpoint.n = "refresh-0", 0
			w.want(heir, "", "access-1")
			w.want(w.process(), "", "access-1")
		})
	}
}

// TestKilledBeforeAsking: the refresh token was not spent, so all is well.
func TestKilledBeforeAsking(t *testing.T) {
	w := newWorld(t)
	w.want(w.process(), "", "access-1")
	_, err := w.store.Tokens().Update(t.Context(), w.org, w.conn.ID, func(cur *connection.Tokens) error {
		cur.Access, cur.Started = nil, &connection.RefreshStarted{Holder: "wrk_dead", At: w.now.Add(1000 * time.Hour), Attempt: "dead"}
		return nil
	})
	must(t, err)
	began := w.clock()
	w.want(w.process(w.patient), "", "access-2")
	if waited := w.clock().Sub(began); waited < 20*time.Second || waited > 21*time.Second {
		t.Errorf("took over after %v, want the term of 20 s", waited)
	}
	if rec := w.record(); rec.Started != nil || rec.Uncertain || rec.Reauthorize {
		t.Errorf("the record is %+v", rec)
	}
}

func TestSlowOwnerSavesAfterTakeover(t *testing.T) {
	w := newWorld(t)
	var slow sync.Once
	heir := w.process(w.patient)
	w.endpoint.hook = func() {
		slow.Do(func() { // while the owner's answer is on its way, somebody takes over and is refused
			if _, err := w.access(heir, ""); errs.From(err).Code != tokens.CodeReauthorize {
				t.Errorf("the heir got %v", err)
			}
		})
	}
	w.want(w.process(), "", "access-1")
	w.want(heir, "", "access-1") // the owner had the good one
	w.pass(time.Hour)
	w.want(heir, "", "access-2")
}

func TestDiskIsFullForAWhile(t *testing.T) {
	w := newWorld(t)
	full := &fullStore{Tokens: w.store.Tokens()}
	k := w.process(w.patient, func(d *tokens.Deps) { d.Store = full })
	w.endpoint.hook = func() { full.full.Store(true) }
	if _, err := w.access(k, ""); !errs.Is(err, errs.Unavailable) || errs.From(err).Origin != errs.Ours {
		t.Fatalf("got %v, want that it can't be saved", err)
	}
	full.full.Store(false)
	w.endpoint.hook = nil
	w.want(k, "", "access-1") // what could not be saved then
	w.pass(time.Hour)
	w.want(w.process(), "", "access-2")
	if w.endpoint.denied > 0 {
		t.Error("a refresh token was lost")
	}
}

type fullStore struct {
	store.Tokens
	full atomic.Bool
}

func (f *fullStore) Update(ctx context.Context, org id.Org, conn id.Connection, change func(*connection.Tokens) error) (connection.Tokens, error) {
	if f.full.Load() {
		return connection.Tokens{}, errs.New(errs.Unavailable, "store", "the disk is full")
	}
	return f.Tokens.Update(ctx, org, conn, change)
}
