package s3_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/s3"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/provider/s3"
	"mooring/internal/secret"
)

const bodyText = "text of the provider's body"

// start runs an emulator with a bucket named data.
func start(t testing.TB, o emulator.Options) *emulator.Server {
	t.Helper()
	srv, err := emulator.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	must(t, srv.CreateBucket("data"))
	return srv
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, srv *emulator.Server, key, content string) {
	t.Helper()
	must(t, srv.Put("data", key, []byte(content), emulator.PutOptions{}))
}

// access is a configuration with the emulator's key.
func access(provider string) config.Config {
	return config.Config{
		Provider: provider, Fields: map[string]any{"region": "us-east-1"}, Credential: "access_key",
		Credentials: map[string]any{"access_key_id": emulator.DefaultAccessKeyID},
		Secrets:     map[string]secret.String{"secret_access_key": secret.New(emulator.DefaultSecretAccessKey)},
	}
}

func options(t testing.TB, srv *emulator.Server) driver.Options {
	g := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(g.Close)
	return driver.Options{Transport: g, Endpoints: map[string]string{"api": srv.URL(), "sts": srv.URL()}, Now: time.Now}
}

func open(t testing.TB, c config.Config, o driver.Options) driver.Source {
	t.Helper()
	src, err := s3.Open(t.Context(), c, o)
	must(t, err)
	return src
}

// opened is the usual source on an emulator.
func opened(t testing.TB, srv *emulator.Server) driver.Source {
	return open(t, access("s3"), options(t, srv))
}

// all enumerates a scope.
func all(t testing.TB, src driver.Source, scope driver.Scope) (out []driver.Item) {
	t.Helper()
	for cur := driver.Cursor(nil); ; {
		p, err := src.Changes(t.Context(), scope, cur)
		must(t, err)
		for _, c := range p.Changes {
			out = append(out, c.Item)
		}
		if cur = p.Next; !p.More {
			return out
		}
	}
}

// one returns the only item of a scope.
func one(t testing.TB, src driver.Source, scope string) driver.Item {
	t.Helper()
	items := all(t, src, driver.Scope{Path: scope})
	if len(items) != 1 {
		t.Fatalf("%d items in %s", len(items), scope)
	}
	return items[0]
}

func read(t testing.TB, src driver.Source, it driver.Item, off int64) (string, error) {
	t.Helper()
	r, err := src.Open(t.Context(), it, off)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// kind checks an error's kind and scope.
func kind(t testing.TB, err error, k errs.Kind, s errs.Scope) errs.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", k)
	}
	e := errs.From(err)
	if errs.KindOf(err) != k || e.Scope != s || e.Origin != errs.Provider {
		t.Errorf("%v: %v, scope %q, origin %v; want %v, %q", err, errs.KindOf(err), e.Scope, e.Origin, k, s)
	}
	return *e
}

var codes = map[errs.Kind]string{
	errs.Unauthenticated: "InvalidAccessKeyId", errs.PermissionDenied: "AccessDenied", errs.NotFound: "NoSuchBucket",
	errs.Throttled: "SlowDown", errs.Unavailable: "InternalError",
}

func harness(t *testing.T, scope string, open func(testing.TB, *emulator.Server) driver.Source, eo emulator.Options) providertest.Harness {
	const pageSize = 7
	srv := start(t, eo)
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Action: emulator.ListAtMost(pageSize)})
	name := func(n string) string { return strings.TrimPrefix(strings.TrimPrefix(scope, "data")+"/"+n, "/") }
	if scope != "data" {
		put(t, srv, scope[5:]+"-beside", "x")
		put(t, srv, scope[5:]+".beside", "x")
		put(t, srv, "beside", "x")
	}
	return providertest.Harness{
		Open:  func(t testing.TB) driver.Source { return open(t, srv) },
		Scope: driver.Scope{Path: scope}, PageSize: pageSize,
		Outside: &driver.Scope{Path: "data/elsewhere"}, Missing: "no-such-bucket",
		Put: func(t testing.TB, n string, content []byte) {
			must(t, srv.Put("data", name(n), content, emulator.PutOptions{Checksum: emulator.SHA256}))
		},
		Delete:   func(t testing.TB, n string) { must(t, srv.Delete("data", name(n))) },
		Requests: func() int { return srv.Count() },
		Fail: func(_ testing.TB, k errs.Kind) bool {
			srv.ClearFaults()
			srv.Inject(emulator.Fault{Action: emulator.Reply(emulator.Error{
				Code: codes[k], Message: bodyText + emulator.DefaultSecretAccessKey,
				Extra: []emulator.Element{{Name: "Resource", Value: bodyText}},
			})})
			return true
		},
		BodyText: bodyText, Secret: emulator.DefaultSecretAccessKey,
		Break: func(_ testing.TB, n string, at int64) {
			srv.Inject(emulator.Fault{
				Match: emulator.Match{Operations: []emulator.Operation{emulator.GetObject}, Key: name(n)}, Times: 1, Action: emulator.ShortBody(at),
			})
		},
		Block: func(_ testing.TB, started func()) {
			srv.Inject(emulator.Fault{Action: emulator.Do(emulator.Run(started), emulator.Wait(nil))})
		},
	}
}

func TestConformance(t *testing.T) {
	custom := func(t testing.TB, srv *emulator.Server) driver.Source {
		c := access("s3")
		c.Fields["endpoint_url"] = srv.URL()
		return open(t, c, options(t, srv))
	}
	virtual := func(t testing.TB, srv *emulator.Server) driver.Source {
		c := access("tigris")
		c.Fields["endpoint_url"] = "http://t3.storage.dev"
		return open(t, c, driver.Options{Transport: detour{srv.URL()}})
	}
	for name, c := range map[string]struct {
		scope string
		open  func(testing.TB, *emulator.Server) driver.Source
		o     emulator.Options
	}{
		"bucket":         {"data", opened, emulator.Options{}},
		"prefix":         {"data/a folder/of é", opened, emulator.Options{}},
		"percent spaces": {"data/a b", custom, emulator.Options{PercentSpaces: true}},
		"virtual hosts":  {"data", virtual, emulator.Options{Domain: "t3.storage.dev"}},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(t *testing.T) providertest.Harness { return harness(t, c.scope, c.open, c.o) })
		})
	}
}

// detour sends every request to one server, whatever its host.
type detour struct{ to string }

func (d detour) Client(bool) *http.Client {
	u, _ := url.Parse(d.to)
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, u.Host)
		},
	}}
}

func (d detour) Operator() *http.Client { return d.Client(false) }

const roleARN = "arn:aws:iam::123456789012:role/tenant"

func roleConfig() config.Config {
	return config.Config{
		Provider: "s3", Fields: map[string]any{"region": "us-east-1"}, Credential: "iam_role",
		Credentials: map[string]any{"role_arn": roleARN, "external_id": "external-id"},
	}
}
