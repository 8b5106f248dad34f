package web_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	bucketservice "mooring/internal/bucket/service"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
	"mooring/internal/sink"
	"mooring/internal/sink/sinktest"
	"mooring/internal/store/sqlite"
	"mooring/internal/surface"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
	syncingservice "mooring/internal/syncing/service"
	"mooring/internal/web"
	webhookservice "mooring/internal/webhook/service"
)

// world is the dashboard over the real store and services. Only the provider,
// the destination and the engine's long jobs are fakes.
type world struct {
	t       *testing.T
	store   *sqlite.Store
	server  web.Server
	handler http.Handler
	log     *lockedBuffer
	org     accessservice.Founded
	admin   secret.String
	mu      sync.Mutex
	later   time.Duration // how far the clock was moved
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.later)
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.later += d
}

func newWorld(t *testing.T) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w := &world{t: t, store: st, log: &lockedBuffer{}}
	sealer := csfle.NewSealer(csfle.NewKeyring(st.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{}))
	w.server = web.Server{
		Access:      &accessservice.Service{Store: st, System: st.System(), Now: w.now},
		Buckets:     &bucketservice.Service{Store: st, Destinations: map[string]sink.Destination{"default": sinktest.NewMemory()}, Now: w.now},
		Syncs:       &syncingservice.Service{Store: st, Now: w.now},
		Engine:      &fakeEngine{Engine: &engine.Engine{Store: st, Now: w.now}},
		Connections: connectionservice.New(connectionservice.Deps{Connections: st.Connections(), Organizations: st.Organizations(), Sealer: sealer, Opener: fakeProvider{}, Now: w.now}),
		Webhooks: &webhookservice.Service{
			Store: st, Vault: vault.Vault{Sealer: sealer, Organizations: st.Organizations()}, Client: http.DefaultClient, Now: w.now,
		},
		Store: st, Guard: &surface.Guard{}, Now: w.now, Tick: 10 * time.Millisecond, Version: "test",
		Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	w.handler = web.New(w.server)
	w.org, w.admin = w.found("ops@example.org")
	return w
}

func (w *world) found(email string) (accessservice.Founded, secret.String) {
	w.t.Helper()
	var plain secret.String
	f, err := w.server.Access.Found(w.t.Context(), "an organization", email, func(_ id.Org, k secret.String) error { plain = k; return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return f, plain
}

// key makes a key of the world's organization.
func (w *world) key(name string, p access.Permission, scopes ...access.Scope) secret.String {
	w.t.Helper()
	_, plain, err := w.server.Access.CreateKey(w.t.Context(), w.org.Organization.ID, nil, audit.System(), w.org.User.Email,
		accessservice.KeyRequest{Name: name, Permissions: []access.Permission{p}, Scopes: scopes})
	if err != nil {
		w.t.Fatal(err)
	}
	return plain
}

// browser is one, with its cookies.
type browser struct {
	*world
	cookies map[string]*http.Cookie
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) to() string { return r.header.Get("Location") }

// send makes a request as a browser does; form nil is a GET.
func (b *browser) send(path string, form url.Values, headers ...string) reply {
	b.t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(b.t.Context(), method, path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return reply{rec.Code, rec.Header(), rec.Body.String()}
}

// want is send that expects a status.
func (b *browser) want(status int, path string, form url.Values, headers ...string) reply {
	b.t.Helper()
	got := b.send(path, form, headers...)
	if got.status != status {
		b.t.Fatalf("%s: status %d, want %d\n%s", path, got.status, status, got.body)
	}
	return got
}

func (w *world) stranger() *browser { return &browser{w, map[string]*http.Cookie{}} }

// signedIn is a browser that has signed in with a key.
func (w *world) signedIn(key secret.String) *browser {
	w.t.Helper()
	b := w.stranger()
	b.want(http.StatusSeeOther, "/sign-in", url.Values{"key": {key.Reveal()}})
	return b
}

const (
	goodAccess    = "AKIAEXAMPLEEXAMPLE00"
	refusedAccess = "AKIAREFUSEDREFUSED00"
	goodSecret    = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
)

func s3Form(name, accessKey string) url.Values {
	return url.Values{"kind": {"access_key"}, "name": {name}, "region": {"eu-west-1"}, "use_ssl": {"true"}, "verify_ssl": {"true"},
		"credentials.access_key_id": {accessKey}, "credentials.secret_access_key": {goodSecret}}
}

// connect makes a connection and returns the path of its page.
func (b *browser) connect(name string) string {
	b.t.Helper()
	to := b.want(http.StatusSeeOther, "/new-connection/s3", s3Form(name, goodAccess)).to()
	path, _, _ := strings.Cut(to, "?")
	return path
}

// fakeProvider takes all that is not refusedAccess.
type fakeProvider struct{}

func (fakeProvider) Open(_ context.Context, _ string, c config.Config, _ driver.Tokens) (connectionservice.Prober, error) {
	return opened{c}, nil
}

type opened struct{ c config.Config }

func (o opened) Check(context.Context, string) (driver.Report, error) {
	said := "" // it repeats what it was given
	for _, s := range o.c.SecretList() {
		said += " " + s.Reveal()
	}
	if o.c.Text("access_key_id") == refusedAccess {
		return driver.Report{}, &errs.Error{
			Kind: errs.Unauthenticated, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "s3",
			Msg: "the provider refused" + said, Code: "InvalidAccessKeyId" + said, RequestID: "req-provider" + said,
		}
	}
	return driver.Report{Message: "works" + said}, nil
}

func (o opened) Browse(_ context.Context, path, page string, _ int) (driver.Listing, error) {
	if path == "gone" {
		return driver.Listing{}, &errs.Error{Kind: errs.NotFound, Origin: errs.Provider, Scope: errs.ScopePath, Op: "s3", Msg: "there is no such bucket", Code: "NoSuchBucket"}
	}
	if page == "" {
		return driver.Listing{Items: []driver.Item{{ID: "d", Name: "<b>media", Path: "media", Folder: true}, {ID: "f", Name: "a.txt", Path: "a.txt", Size: 1500}}, Next: "2"}, nil
	}
	return driver.Listing{Items: []driver.Item{{ID: "z", Name: "z.txt", Path: "z.txt", Size: -1}}}, nil
}

func (o opened) Close() error { return nil }

// fakeEngine is the real one but for its long jobs.
type fakeEngine struct{ *engine.Engine }

func (*fakeEngine) Preview(_ context.Context, s syncing.Sync, _ engine.PreviewOptions) (engine.Preview, error) {
	return engine.Preview{Listed: 5, Transfer: 3, Delete: 1, Bytes: 1500, Complete: true, Samples: []engine.Sample{{SourceID: "a", Path: s.SourcePath + "/a", Size: -1, Outcome: "transfer"}}}, nil
}

// bucket makes one and returns it.
func (w *world) bucket(name string) bucket.Bucket {
	w.t.Helper()
	b, err := w.server.Buckets.Create(w.t.Context(), w.org.Organization.ID, w.org.Namespace.ID, audit.System(), bucketservice.CreateRequest{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// sync makes one of a connection, by the path of its page, into a bucket.
func (w *world) sync(b bucket.Bucket, connectionPath string) syncing.Sync {
	w.t.Helper()
	s, err := w.server.Syncs.Create(w.t.Context(), w.org.Organization.ID, audit.System(), b, syncingservice.CreateRequest{
		Connection: w.stored(connectionPath).ID, SourcePath: "media", Mode: syncing.Continuous,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// object puts one into the catalogue.
func (w *world) object(s syncing.Sync) id.Object {
	w.t.Helper()
	o := bucket.Object{
		ID: id.ObjectOf(s.Bucket, s.Connection, "media/a.txt"), Org: s.Org, Bucket: s.Bucket, Connection: s.Connection, Sync: s.ID,
		SourceID: key.Key("media/a.txt"), SourcePath: "media/a.txt", Name: "media/a.txt", State: bucket.Present, CreatedAt: w.now(), UpdatedAt: w.now(),
	}
	if err := w.store.Catalogue().Upsert(w.t.Context(), s.Org, s.Bucket, []bucket.Object{o}); err != nil {
		w.t.Fatal(err)
	}
	return o.ID
}

// webhook makes one, and returns its secret too.
func (w *world) webhook() (id.Webhook, secret.String) {
	w.t.Helper()
	to := "https://hooks.example.org/x"
	hook, plain, err := w.server.Webhooks.Create(w.t.Context(), w.org.Organization.ID, audit.System(), "", webhookservice.Draft{URL: &to})
	if err != nil {
		w.t.Fatal(err)
	}
	return hook.ID, plain
}

// stored is a connection as the store has it, by the path of its page.
func (w *world) stored(path string) connection.Connection {
	w.t.Helper()
	c, err := w.store.Connections().Get(w.t.Context(), w.org.Organization.ID, id.Connection(path[strings.LastIndexByte(path, '/')+1:]))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}
