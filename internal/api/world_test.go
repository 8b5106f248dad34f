package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/api"
	"mooring/internal/audit"
	auditservice "mooring/internal/audit/service"
	"mooring/internal/bucket"
	bucketservice "mooring/internal/bucket/service"
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
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
	syncingservice "mooring/internal/syncing/service"
	webhookservice "mooring/internal/webhook/service"
)

// world is the API over the real store and the real services. Only the
// provider, the destination and the engine's long jobs are fakes.
type world struct {
	t       testing.TB
	store   *sqlite.Store
	access  *accessservice.Service
	syncs   *syncingservice.Service
	buckets *bucketservice.Service
	sink    *sinktest.Memory
	fake    *provider
	engine  *fakeEngine
	server  api.Server
	handler http.Handler
	log     *lockedBuffer
	org     accessservice.Founded
	admin   string // the organization's admin key
	bodies  [][]byte
	abused  int // kinds of credentials that the canary test stored
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

// ticking is the real clock, except that it never shows the same millisecond
// twice: what is made later is newer.
func ticking() func() time.Time {
	var mu sync.Mutex
	var last time.Time
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) >= time.Millisecond {
			last = now
		} else {
			last = last.Add(time.Millisecond)
		}
		return last
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	now := ticking()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, store: st, sink: sinktest.NewMemory(), fake: &provider{}, log: &lockedBuffer{}}
	w.access = &accessservice.Service{Store: st, System: st.System(), Now: now}
	w.buckets = &bucketservice.Service{Store: st, Destinations: map[string]sink.Destination{"default": w.sink}, Now: now}
	w.syncs = &syncingservice.Service{Store: st, Now: now}
	w.engine = &fakeEngine{Engine: &engine.Engine{Store: st, Now: time.Now}}
	keys := csfle.NewKeyring(st.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{})
	chain := audit.NewChain([]byte("a key of thirty-two bytes or more"))
	st.System().ChainAudit(chain)
	w.server = api.Server{
		Webhooks: &webhookservice.Service{Store: st, Vault: vault.Vault{Sealer: csfle.NewSealer(keys), Organizations: st.Organizations()}, Client: http.DefaultClient, Now: now},
		Trails:   &auditservice.Trails{Audit: st.Audit(), Chain: chain, Now: now},
		Access:   w.access, Buckets: w.buckets, Syncs: w.syncs, Engine: w.engine, Store: st, Version: "test",
		Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Connections: connectionservice.New(connectionservice.Deps{
			Connections: st.Connections(), Organizations: st.Organizations(), Sealer: csfle.NewSealer(keys), Opener: w.fake, Now: now,
		}),
		Providers: []string{"s3", "tigris", "snowflake"}, EventInterval: 10 * time.Millisecond,
	}
	w.handler = api.New(w.server)
	w.org, w.admin = w.found("ops@example.org")
	return w
}

// found makes an organization and returns its admin key.
func (w *world) found(email string) (accessservice.Founded, string) {
	w.t.Helper()
	var plain secret.String
	f, err := w.access.Found(w.t.Context(), "an organization", email, func(_ id.Org, k secret.String) error { plain = k; return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return f, plain.Reveal()
}

// key makes a key of the world's organization.
func (w *world) key(name string, p access.Permission, scopes ...access.Scope) string {
	w.t.Helper()
	_, plain, err := w.access.CreateKey(w.t.Context(), w.org.Organization.ID, nil, audit.System(), w.org.User.Email,
		accessservice.KeyRequest{Name: name, Permissions: []access.Permission{p}, Scopes: scopes})
	if err != nil {
		w.t.Fatal(err)
	}
	return plain.Reveal()
}

// reply is an answer, with its body decoded.
type reply struct {
	status int
	header http.Header
	raw    []byte
	doc    map[string]any
}

// send makes a request with a key; body may be nil, a string or what becomes JSON.
func (w *world) send(bearer, method, path string, body any, headers ...string) reply {
	w.t.Helper()
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		payload = strings.NewReader(b)
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		payload = bytes.NewReader(raw)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, payload)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if payload != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) reply {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	out := reply{status: rec.Code, header: rec.Header(), raw: rec.Body.Bytes()}
	w.bodies = append(w.bodies, out.raw)
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") && r.URL.Path != "/openapi.json" {
		dec := json.NewDecoder(bytes.NewReader(out.raw))
		dec.UseNumber()
		if err := dec.Decode(&out.doc); err != nil {
			w.t.Fatalf("%s %s: the body is not a JSON object: %v\n%s", r.Method, r.URL.Path, err, out.raw)
		}
		checkAgainstContract(w.t, r, out)
	}
	return out
}

// as is send with the admin key that expects a status.
func (w *world) as(status int, method, path string, body any) reply {
	w.t.Helper()
	return w.with(w.admin, status, method, path, body)
}

func (w *world) with(bearer string, status int, method, path string, body any, headers ...string) reply {
	w.t.Helper()
	got := w.send(bearer, method, path, body, headers...)
	if got.status != status {
		w.t.Fatalf("%s %s: status %d, want %d\n%s", method, path, got.status, status, got.raw)
	}
	return got
}

// at follows keys and indexes into an answer.
func (r reply) at(path ...any) any {
	var v any = r.doc
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (r reply) text(path ...any) string {
	s, _ := r.at(path...).(string)
	return s
}

func (r reply) number(path ...any) int64 {
	n, _ := r.at(path...).(json.Number)
	v, _ := n.Int64()
	return v
}

func (r reply) results() []any {
	l, _ := r.doc["results"].([]any)
	return l
}

type object = map[string]any

const (
	goodAccess = "AKIAEXAMPLEEXAMPLE00"
	goodSecret = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
)

func s3Config(accessKey string) object {
	return object{"region": "eu-west-1", "credentials": object{"type": "access_key", "access_key_id": accessKey, "secret_access_key": goodSecret}}
}

// connect creates a connection and returns its id.
func (w *world) connect(name string) string {
	w.t.Helper()
	return w.as(200, "POST", "/v1/organizations/connections", object{"name": name, "provider_type": "s3", "provider_config": s3Config(goodAccess)}).text("connection_id")
}

func (w *world) bucket(name string) string {
	w.t.Helper()
	return w.as(200, "POST", "/v1/buckets", object{"bucket_name": name, "bucket_schema": object{"properties": object{}}}).text("bucket_id")
}

func (w *world) sync(b, conn, path string) string {
	w.t.Helper()
	return w.as(200, "POST", "/v1/buckets/"+b+"/syncs", object{"connection_id": conn, "source_path": path}).text("sync_config_id")
}

// put stores an object with content, as a sync would have.
func (w *world) put(b, conn, sy, path, content string, change func(*bucket.Object)) string {
	w.t.Helper()
	o := bucket.Object{
		ID: id.ObjectOf(id.Bucket(b), id.Connection(conn), path), Org: w.org.Organization.ID, Bucket: id.Bucket(b), Connection: id.Connection(conn), Sync: id.Sync(sy),
		Provider: "s3", SourceID: key.Key(path), SourcePath: path, Name: path, Size: int64(len(content)), Version: "v1", MIME: "text/plain",
		SHA256: strings.Repeat("ab", 32), Verdict: "verified: md5", State: bucket.Present, CreatedAt: time.Now(), UpdatedAt: time.Now(),
		Blobs: []bucket.Blob{{Property: "content", Type: "text", MIME: "text/plain"}},
	}
	if change != nil {
		change(&o)
	}
	if err := w.store.Catalogue().Upsert(w.t.Context(), o.Org, o.Bucket, []bucket.Object{o}); err != nil {
		w.t.Fatal(err)
	}
	stored, err := w.store.Buckets().Get(w.t.Context(), o.Org, o.Bucket)
	if err != nil {
		w.t.Fatal(err)
	}
	part, err := w.buckets.Sink(w.t.Context(), stored)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := part.Stage(w.t.Context(), "staged", -1)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(out, content); err != nil {
		w.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := part.Place(w.t.Context(), "staged", o.Name, int64(len(content))); err != nil {
		w.t.Fatal(err)
	}
	return string(o.ID)
}

// run stores a run of a sync.
func (w *world) run(b, sy string, change func(*syncing.Run)) string {
	w.t.Helper()
	began := time.Now().Add(-10 * time.Second).UTC().Truncate(time.Millisecond)
	end := began.Add(4 * time.Second)
	r := syncing.Run{
		ID: id.NewRun(), Org: w.org.Organization.ID, Sync: id.Sync(sy), Bucket: id.Bucket(b), Provider: "s3", Number: 1, Kind: syncing.KindSync,
		Status: syncing.RunCompleted, Ledger: syncing.Ledger{Discovered: 3, Synced: 2, Unchanged: 1, Bytes: 8_000_000}, PassEnded: true,
		StartedAt: began, EndedAt: &end, UpdatedAt: end, Worker: "wrk_x",
	}
	if change != nil {
		change(&r)
	}
	if _, err := w.store.Runs().Insert(w.t.Context(), r.Org, r); err != nil {
		w.t.Fatal(err)
	}
	return string(r.ID)
}

// letter stores a dead letter of a sync.
func (w *world) letter(sy, path string, kind errs.Kind) string {
	w.t.Helper()
	l := syncing.DeadLetter{
		ID: syncing.DeadLetterID(id.Sync(sy), key.Key(path)), Org: w.org.Organization.ID, Sync: id.Sync(sy), SourceID: key.Key(path), SourcePath: path, Version: "v1",
		Size: 5, Status: syncing.DeadOpen, Kind: kind.String(), Code: "SlowDown", Message: "it failed three times", Attempts: 3, Run: id.NewRun(),
		CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	if err := w.store.DeadLetters().Put(w.t.Context(), l.Org, []syncing.DeadLetter{l}); err != nil {
		w.t.Fatal(err)
	}
	return l.ID
}

// provider is a fake whose mood is set by the access key and the path.
type provider struct {
	mu      sync.Mutex
	checked int
	hang    func(context.Context) // of Browse of "hangs"
	// careless: it repeats the secrets in whatever it says, and in panics.
	careless bool
}

func (p *provider) Open(_ context.Context, _ string, c config.Config, _ driver.Tokens) (connectionservice.Prober, error) {
	return &opened{p, c}, nil
}

type opened struct {
	p *provider
	c config.Config
}

func refusal(k errs.Kind, code string) error {
	return &errs.Error{Kind: k, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "s3", Msg: "the provider refused", Code: code, RequestID: "req-provider"}
}

// says is a text of the adapter's, and a refusal with it.
func (o *opened) says(text string) string {
	if o.p.careless {
		for _, s := range o.c.SecretList() {
			text += " " + s.Reveal()
		}
	}
	return text
}

func (o *opened) repeats(k errs.Kind, code string) error {
	e := refusal(k, code).(*errs.Error) //nolint:errorlint // as it was just made
	e.Msg, e.Code, e.RequestID = o.says(e.Msg), o.says(e.Code), o.says(e.RequestID)
	return e
}

const refusedAccess = "AKIAREFUSEDREFUSED00"

func (o *opened) Check(context.Context, string) (driver.Report, error) {
	o.p.mu.Lock()
	defer o.p.mu.Unlock()
	o.p.checked++
	if o.c.Text("access_key_id") == refusedAccess {
		return driver.Report{}, refusal(errs.Unauthenticated, "InvalidAccessKeyId")
	}
	if o.p.careless && o.p.checked%2 == 1 {
		return driver.Report{}, o.repeats(errs.Unauthenticated, "InvalidAccessKeyId")
	}
	return driver.Report{Message: o.says("works"), Details: map[string]any{"region": "eu-west-1"}}, nil
}

func (o *opened) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	switch path {
	case "hangs":
		o.p.hang(ctx)
		return driver.Listing{}, errs.Wrap(ctx.Err(), errs.KindOf(ctx.Err()), "fake", "the request was given up")
	case "refused":
		return driver.Listing{}, o.repeats(errs.PermissionDenied, "AccessDenied")
	case "unauthenticated":
		return driver.Listing{}, refusal(errs.Unauthenticated, "InvalidAccessKeyId")
	case "missing":
		return driver.Listing{}, refusal(errs.NotFound, "NoSuchBucket")
	case "busy":
		return driver.Listing{}, refusal(errs.Throttled, "SlowDown")
	case "panics":
		panic(o.says("the adapter broke"))
	}
	if page == "" && limit == 1 {
		return driver.Listing{Items: []driver.Item{{ID: "d1", Name: "media", Path: "media", Folder: true}}, Next: "2"}, nil
	}
	return driver.Listing{Items: []driver.Item{
		{ID: "d1", Name: "media", Path: "media", Folder: true},
		{ID: "f1", Name: "a.txt", Path: "a.txt", Size: 5, ModifiedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{ID: "f2", Name: "doc", Path: "doc", Size: -1},
	}}, nil
}

func (o *opened) Close() error { return nil }

// fakeEngine is the real one but for its long jobs.
type fakeEngine struct {
	*engine.Engine
	previewErr error
}

func (e *fakeEngine) Preview(context.Context, syncing.Sync, engine.PreviewOptions) (engine.Preview, error) {
	return engine.Preview{Listed: 5, Transfer: 3, Samples: []engine.Sample{{SourceID: "a", Path: "a", Size: -1, Outcome: "transfer"}}}, e.previewErr
}
