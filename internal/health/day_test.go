package health_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/metrics"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/store/sqlite"
	"mooring/internal/usage"
)

// day is a process on a clock that a script moves through a day.
type day struct {
	t           *testing.T
	store       *sqlite.Store
	connections *service.Service
	usage       *usage.Counter
	metrics     *metrics.Metrics
	org         id.Org
	ids         map[string]id.Connection
	now         time.Time
	asked       map[string]int // how often a connection's provider was asked
}

var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func newDay(t *testing.T) *day {
	t.Helper()
	d := &day{t: t, org: id.NewOrg(), ids: map[string]id.Connection{}, now: midnight, asked: map[string]int{}, metrics: metrics.New("test")}
	clock := func() time.Time { return d.now }
	var err error
	if d.store, err = sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.store.Close() })
	_, err = d.store.Organizations().Insert(t.Context(), d.org, access.Organization{ID: d.org, Name: "day", DataKey: 1, CreatedAt: d.now, UpdatedAt: d.now})
	if err != nil {
		t.Fatal(err)
	}
	d.usage = &usage.Counter{Store: d.store.Usage(), Log: slog.New(slog.DiscardHandler), Now: clock}
	deps := provider.Deps{
		Registry: provider.Registry{"s3": d.adapter}, Budgets: provider.NewBudgets(0), Tries: 1, Options: driver.Options{Now: clock},
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	d.connections = service.New(service.Deps{
		Connections: d.store.Connections(), Organizations: d.store.Organizations(), For: usage.For, Now: clock, CheckEvery: 10 * time.Minute,
		Sealer:   csfle.NewSealer(csfle.NewKeyring(d.store.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{})),
		Isolated: func(context.Context) bool { return d.between(16, 17) },
		Opener: service.OpenerFunc(func(ctx context.Context, name string, c config.Config, tok driver.Tokens) (service.Prober, error) {
			deps := deps
			deps.Options.Tokens, deps.Metrics = tok, d.usage.Metrics(ctx, d.metrics)
			return provider.Open(ctx, name, c, deps)
		}),
	})
	return d
}

// adapter is a source whose check follows the script of its connection.
func (d *day) adapter(_ context.Context, c config.Config, _ driver.Options) (driver.Source, error) {
	name, _, _ := strings.Cut(c.Secrets["secret_access_key"].Reveal(), "/")
	return scripted{providertest.NewFlat(providertest.FlatOptions{}), d, name}, nil
}

type scripted struct {
	*providertest.Flat
	d    *day
	name string // from the secret: a replaced one has another script
}

// Check implements driver.Source.
func (s scripted) Check(context.Context, string) (driver.Report, error) {
	s.d.asked[s.name]++
	fails := func(k errs.Kind) (driver.Report, error) {
		return driver.Report{}, &errs.Error{Kind: k, Origin: errs.Provider, Scope: errs.ScopeConnection, Code: "Scripted", Msg: "the script says so"}
	}
	switch d := s.d; {
	case d.between(16, 17): // nothing can be reached from here
		return fails(errs.Unavailable)
	case s.name == "outage" && d.between(3, 9):
		return fails(errs.Unavailable)
	case s.name == "expired" && d.now.After(midnight.Add(5*time.Hour)):
		return fails(errs.Unauthenticated)
	case s.name == "throttled" && d.between(6, 8):
		return fails(errs.Throttled)
	}
	return driver.Report{Message: "connected"}, nil
}

// between reports whether it is from one hour on and before another.
func (d *day) between(from, to int) bool {
	at := d.now.Sub(midnight)
	return at >= time.Duration(from)*time.Hour && at < time.Duration(to)*time.Hour
}

func (d *day) config(name string) map[string]any {
	return map[string]any{"region": "eu-west-1", "credentials": map[string]any{
		"type": "access_key", "access_key_id": "AKIA" + strings.Repeat("A", 16), "secret_access_key": name + "/" + strings.Repeat("k", 40-len(name)-1),
	}}
}

func (d *day) create(name string) {
	d.t.Helper()
	c, err := d.connections.Create(d.t.Context(), d.org, audit.System(), service.CreateRequest{Name: name, Provider: "s3", ProviderConfig: d.config(name)})
	if err != nil {
		d.t.Fatal(err)
	}
	d.ids[name] = c.ID
}

func (d *day) update(name string, r service.UpdateRequest) {
	d.t.Helper()
	if _, err := d.connections.Update(d.t.Context(), d.org, audit.System(), string(d.ids[name]), r); err != nil {
		d.t.Fatalf("%s at %v: %v", name, d.now.Sub(midnight), err)
	}
}

func (d *day) get(name string) connection.Connection {
	d.t.Helper()
	c, err := d.store.Connections().Get(d.t.Context(), d.org, d.ids[name])
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// until lets minutes pass, and makes the checks that are due, up to an hour of the day.
func (d *day) until(hour int) {
	d.t.Helper()
	for ; d.now.Before(midnight.Add(time.Duration(hour) * time.Hour)); d.now = d.now.Add(time.Minute) {
		due, err := d.store.System().DueConnections(d.t.Context(), d.now, nil, 100)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, x := range due {
			if _, err := d.connections.CheckDue(d.t.Context(), x.Org, x.Connection, x.Due); err != nil {
				d.t.Fatal(err)
			}
		}
	}
}

// want compares states and counters of all connections, written name STATUS failures.
func (d *day) want(states ...string) {
	d.t.Helper()
	for _, want := range states {
		name, _, _ := strings.Cut(want, " ")
		c := d.get(name)
		if got := fmt.Sprint(name, " ", c.Status, " ", c.Failures); got != want || len(c.Evidence) != c.Failures {
			d.t.Errorf("at %v: %s with %d rows of evidence, want %s", d.now.Sub(midnight), got, len(c.Evidence), want)
		}
	}
}

// TestASimulatedDay: an outage, throttling, expired credentials, a user who
// suspends, a network that is gone, and recoveries. States, events, the audit
// trail, usage and metrics tell of the same day.
func TestASimulatedDay(t *testing.T) {
	d := newDay(t)
	for _, name := range []string{"steady", "outage", "expired", "throttled", "paused", "ended"} {
		d.create(name)
	}
	d.until(3)
	d.want("steady ACTIVE 0", "outage ACTIVE 0", "expired ACTIVE 0", "throttled ACTIVE 0")
	d.until(5)
	d.want("outage FAILED 3", "expired ACTIVE 0") // after 15 minutes and an hour; then in six hours
	d.until(7)
	d.want("expired FAILED 4", "throttled ACTIVE 0") // after 1, 5 and 30 minutes; then in two hours
	d.until(8)
	d.want("expired SUSPENDED 5", "outage FAILED 3", "throttled ACTIVE 0")
	d.until(10)
	d.update("paused", service.UpdateRequest{Status: new("SUSPENDED")})
	before := d.asked["paused"]
	d.until(11)
	d.want("outage ACTIVE 0", "paused SUSPENDED 0")
	d.until(12)
	d.update("expired", service.UpdateRequest{ProviderConfig: d.config("renewed")})
	d.want("expired ACTIVE 0")
	d.until(15)
	if d.asked["paused"] != before {
		t.Errorf("a suspended connection was asked %d times", d.asked["paused"]-before)
	}
	d.update("paused", service.UpdateRequest{IsActive: new(true)})
	d.until(17)
	d.want("steady ACTIVE 0", "outage ACTIVE 0", "expired ACTIVE 0", "throttled ACTIVE 0", "paused ACTIVE 0") // nobody counts while nothing can be reached
	d.until(20)
	if _, err := d.connections.Archive(t.Context(), d.org, audit.System(), string(d.ids["ended"])); err != nil {
		t.Fatal(err)
	}
	before = d.asked["ended"]
	d.until(24)
	if d.asked["ended"] != before {
		t.Error("an archived connection was asked")
	}
	d.agree()
}

// agree holds events, trail, usage and metrics against the script.
func (d *day) agree() {
	t := d.t
	t.Helper()
	told := map[string][]string{}
	list, err := d.store.Events().List(t.Context(), d.org, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		told[e.Subject] = append(told[e.Subject], e.Type)
	}
	for name, want := range map[string][]string{
		"steady": nil, "throttled": nil,
		"outage":  {event.ConnectionFailed, event.ConnectionRecovered},
		"expired": {event.ConnectionFailed, event.ConnectionSuspended, event.ConnectionRecovered},
		"paused":  {event.ConnectionSuspended, event.ConnectionRecovered},
		"ended":   {event.ConnectionArchived},
	} {
		if got := told[string(d.ids[name])]; !slices.Equal(got, want) {
			t.Errorf("events of %s: %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]int64{"steady": 0, "outage": 3, "expired": 5, "throttled": 0, "paused": 0} {
		n, err := d.store.Audit().Count(t.Context(), d.org, audit.Filter{ResourceID: string(d.ids[name]), Action: audit.ConnectionFailed})
		if err != nil || n != want {
			t.Errorf("the trail has %d failures of %s (%v), want %d", n, name, err, want)
		}
	}
	d.usage.Flush(t.Context())
	total := 0
	for name, asked := range d.asked {
		total += asked
		if name == "renewed" {
			continue
		}
		if name == "expired" {
			asked += d.asked["renewed"]
		}
		days, err := d.store.Usage().List(t.Context(), d.org, d.ids[name], "2026-03-02", "2026-03-02")
		// What a test of a draft asks belongs to no connection yet.
		if err != nil || len(days) != 1 || days[0].Requests > int64(asked) || days[0].Requests < int64(asked)-2 {
			t.Errorf("usage of %s: %+v, %v; it was asked %d times", name, days, err, asked)
			continue
		}
		if throttles := days[0].Throttles; (throttles > 0) != (name == "throttled") {
			t.Errorf("usage of %s has %d throttles", name, throttles)
		}
	}
	w := httptest.NewRecorder()
	d.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	counted := 0
	for _, line := range strings.Split(w.Body.String(), "\n") {
		if strings.HasPrefix(line, `mooring_provider_call_seconds_count{`) && strings.Contains(line, `method="check"`) {
			n := 0
			_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n)
			counted += n
		}
	}
	if counted != total || !strings.Contains(w.Body.String(), `kind="throttled",method="check"`) {
		t.Errorf("the metrics counted %d checks, the providers %d", counted, total)
	}
}
