package provider_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/secret"
)

const canary = "hunter2/+ \"secret\" key"

func configuration(id string) config.Config {
	return config.Config{
		Provider: "s3", Credential: "access_key", Credentials: map[string]any{"access_key_id": id},
		Secrets: map[string]secret.String{"secret_access_key": secret.New(canary)},
	}
}

// clock only moves when somebody sleeps.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	slept []time.Duration
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept = append(c.slept, d)
	c.at = c.at.Add(d)
	return ctx.Err()
}

func deps(c *clock) provider.Deps {
	return provider.Deps{
		Options: driver.Options{Now: c.now}, Sleep: c.sleep, Jitter: func() float64 { return 1 }, Budgets: provider.NewBudgets(8),
	}
}

func flat() *providertest.Flat {
	f := providertest.NewFlat(providertest.FlatOptions{PageSize: 2})
	for _, k := range []string{"a", "b", "c"} {
		f.Put(k, []byte("content of "+k))
	}
	return f
}

var scope = driver.Scope{Path: "data"}

func TestConformance(t *testing.T) {
	providertest.Run(t, func(*testing.T) providertest.Harness {
		f := providertest.NewFlat(providertest.FlatOptions{PageSize: 5})
		c := &clock{at: providertest.Epoch}
		return providertest.Harness{
			Open:     func(testing.TB) driver.Source { return provider.New("flat", f, configuration("A"), deps(c)) },
			PageSize: 5, Scope: scope, Missing: "nowhere", Outside: &driver.Scope{Path: "data/elsewhere"},
			Put:    func(_ testing.TB, name string, b []byte) { f.Put(name, b) },
			Delete: func(_ testing.TB, name string) { f.Delete(name) },
			Fail: func(_ testing.TB, k errs.Kind) bool {
				f.ClearFaults()
				f.Inject(providertest.Fault{Action: providertest.Fail(k)})
				return true
			},
			Break: func(_ testing.TB, name string, n int64) {
				f.Inject(providertest.Fault{Method: providertest.Open, ID: f.ID(name), Times: 1, Action: providertest.ShortRead(n)})
			},
			Block: func(_ testing.TB, started func()) {
				f.SetGate(func(ctx context.Context, _ providertest.Call) error { started(); <-ctx.Done(); return ctx.Err() })
			},
			Secret: canary,
		}
	})
}

func TestRetriesWhatMaySucceedLater(t *testing.T) {
	for _, k := range []errs.Kind{errs.Throttled, errs.Unavailable} {
		f, c := flat(), &clock{at: providertest.Epoch}
		f.FailPage(1, k, 3)
		p, err := provider.New("flat", f, configuration("A"), deps(c)).Changes(t.Context(), scope, nil)
		if err != nil || len(p.Changes) != 2 {
			t.Errorf("%v: %v", k, err)
		}
		if got := fmt.Sprint(c.slept); got != "[250ms 500ms 1s]" {
			t.Errorf("%v: waited %s", k, got)
		}
	}
}

func TestTriesAreBounded(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	f.FailPage(1, errs.Unavailable, 0)
	s := provider.New("flat", f, configuration("A"), deps(c))
	_, err := s.Changes(t.Context(), scope, nil)
	if !errs.Is(err, errs.Unavailable) || f.Count(providertest.Changes) != 5 {
		t.Errorf("%d tries, %v", f.Count(providertest.Changes), err)
	}
	f.Inject(providertest.Fault{Method: providertest.Check, Action: providertest.Fail(errs.Throttled)})
	_, err = s.Check(t.Context(), "")
	if !errs.Is(err, errs.Throttled) || f.Count(providertest.Check) != 2 {
		t.Errorf("a Check: %d tries, %v", f.Count(providertest.Check), err)
	}
}

func TestNothingElseIsRetried(t *testing.T) {
	for k := errs.Internal; k <= errs.Canceled; k++ {
		if k == errs.Throttled || k == errs.Unavailable {
			continue
		}
		f, c := flat(), &clock{at: providertest.Epoch}
		f.FailPage(1, k, 0)
		_, err := provider.New("flat", f, configuration("A"), deps(c)).Changes(t.Context(), scope, nil)
		if !errs.Is(err, k) || f.Count(providertest.Changes) != 1 || len(c.slept) != 0 {
			t.Errorf("%v: %d tries, %v", k, f.Count(providertest.Changes), err)
		}
	}
}

func TestRetryAfterIsHonouredAndShared(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	f.Inject(providertest.Fault{Method: providertest.Changes, Times: 1, Action: providertest.Throttle(10 * time.Second)})
	d := deps(c)
	a, b, other := provider.New("flat", f, configuration("A"), d), provider.New("flat", f, configuration("A"), d), provider.New("flat", f, configuration("B"), d)
	d.Tries = 1
	once := provider.New("flat", f, configuration("A"), d)
	if _, err := once.Changes(t.Context(), scope, nil); errs.From(err).RetryAfter != 10*time.Second {
		t.Fatal(err)
	}
	if _, err := other.Changes(t.Context(), scope, nil); err != nil || len(c.slept) != 0 {
		t.Errorf("another credential waited %v, %v", c.slept, err)
	}
	if _, err := b.Stat(t.Context(), scope, "data/a"); err != nil || len(c.slept) != 1 || c.slept[0] < 10*time.Second {
		t.Errorf("the same credential waited %v, %v", c.slept, err)
	}
	if _, err := a.Stat(t.Context(), scope, "data/a"); err != nil || len(c.slept) != 1 {
		t.Errorf("once over, waited %v, %v", c.slept, err)
	}
}

func TestLongRetryAfterIsTheCallersToWaitFor(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	f.Inject(providertest.Fault{Method: providertest.Changes, Times: 1, Action: providertest.Throttle(time.Hour)})
	s := provider.New("flat", f, configuration("A"), deps(c))
	for range 2 {
		_, err := s.Changes(t.Context(), scope, nil)
		if !errs.Is(err, errs.Throttled) || errs.From(err).RetryAfter != time.Hour || len(c.slept) != 0 {
			t.Errorf("waited %v, %v", c.slept, err)
		}
	}
	if n := f.Count(providertest.Changes); n != 1 {
		t.Errorf("asked %d times during Retry-After", n)
	}
}

func TestDeadlineThatAWaitWouldMissEndsRetry(t *testing.T) {
	f, c := flat(), &clock{at: time.Now()}
	f.FailPage(1, errs.Unavailable, 0)
	ctx, cancel := context.WithDeadline(t.Context(), c.at.Add(600*time.Millisecond))
	defer cancel()
	_, err := provider.New("flat", f, configuration("A"), deps(c)).Changes(ctx, scope, nil)
	if e := errs.From(err); e.Code != "Scripted" || f.Count(providertest.Changes) != 2 {
		t.Errorf("%d tries, %v", f.Count(providertest.Changes), err)
	}
}

func TestCancelledContextIsNotRetried(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	ctx, cancel := context.WithCancel(t.Context())
	f.SetGate(func(context.Context, providertest.Call) error {
		cancel()
		return &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider}
	})
	_, err := provider.New("flat", f, configuration("A"), deps(c)).Changes(ctx, scope, nil)
	if err == nil || f.Count(providertest.Changes) != 1 || len(c.slept) != 0 {
		t.Errorf("%d tries, waited %v, %v", f.Count(providertest.Changes), c.slept, err)
	}
}

func TestConcurrencyHalvesOnThrottleAndGrowsBack(t *testing.T) { synctest.Test(t, halves) }

func halves(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	d := deps(c)
	d.Tries = 1
	s := provider.New("flat", f, configuration("A"), d)
	if n := atOnce(t, f, s); n != 8 {
		t.Errorf("%d calls at once, want 8", n)
	}
	throttle := func() {
		c.mu.Lock()
		c.at = c.at.Add(time.Second)
		c.mu.Unlock()
		f.Inject(providertest.Fault{Method: providertest.Check, Times: 1, Action: providertest.Fail(errs.Throttled)})
		if _, err := s.Check(t.Context(), ""); !errs.Is(err, errs.Throttled) {
			t.Fatal(err)
		}
	}
	throttle()
	if n := atOnce(t, f, s); n != 4 {
		t.Errorf("%d calls at once after a throttle, want 4", n)
	}
	for range 8 {
		throttle()
	}
	if n := atOnce(t, f, s); n != 1 {
		t.Errorf("%d calls at once after many throttles, want 1", n)
	}
	for range 60 {
		if _, err := s.Check(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := atOnce(t, f, s); n != 8 {
		t.Errorf("%d calls at once after success, want 8", n)
	}
}

// atOnce makes 20 calls and returns how many are let in at once.
func atOnce(t *testing.T, f *providertest.Flat, s *provider.Source) int {
	t.Helper()
	var entered atomic.Int32
	hold := make(chan struct{})
	f.SetGate(func(context.Context, providertest.Call) error {
		entered.Add(1)
		<-hold
		return nil
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.Check(t.Context(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	synctest.Wait()
	n := entered.Load()
	close(hold)
	wg.Wait()
	f.SetGate(nil)
	return int(n)
}

func TestWaitingForTheBudgetEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := flat(), &clock{at: providertest.Epoch}
		d := deps(c)
		d.Budgets = provider.NewBudgets(1)
		s := provider.New("flat", f, configuration("A"), d)
		hold := make(chan struct{})
		f.SetGate(func(context.Context, providertest.Call) error { <-hold; return nil })
		ctx, cancel := context.WithCancel(t.Context())
		var first, second error
		var wg sync.WaitGroup
		wg.Go(func() { _, first = s.Check(t.Context(), "") })
		synctest.Wait()
		wg.Go(func() { _, second = s.Check(ctx, "") })
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(hold)
		wg.Wait()
		if first != nil || !errs.Is(second, errs.Canceled) || f.Count(providertest.Check) != 1 {
			t.Errorf("%v, %v, %d calls", first, second, f.Count(providertest.Check))
		}
		if _, err := s.Check(t.Context(), ""); err != nil {
			t.Errorf("the slot is lost: %v", err)
		}
	})
}

func TestErrorsHoldNoSecret(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	s := provider.New("flat", f, configuration("A"), deps(c))
	forms := []string{canary, url.QueryEscape(canary), url.PathEscape(canary), base64.StdEncoding.EncodeToString([]byte("user:" + canary)), fmt.Sprintf("%x", canary)}
	for _, form := range forms {
		f.ClearFaults()
		f.Inject(providertest.Fault{Action: providertest.FailWith(&errs.Error{
			Kind: errs.NotFound, Origin: errs.Provider, Msg: "said " + form, Code: form, RequestID: form, Op: form,
			Fields: []errs.Field{{Msg: form}}, Err: errors.New("body: " + form),
		})})
		_, err := s.Changes(t.Context(), scope, nil)
		if inner := new(errs.Error); errors.As(errs.From(err).Unwrap(), &inner) {
			t.Error("the adapter's own error can be had")
		}
		text := fmt.Sprintf("%v %+v %#v", err, errs.From(err).Fields, errs.From(err).Err.Error())
		if strings.Contains(text, "hunter2") || strings.Contains(text, form) || !errs.Is(err, errs.NotFound) {
			t.Errorf("%q is in %s", form, text)
		}
		if base := base64.StdEncoding.EncodeToString([]byte(canary)); strings.Contains(text, base[4:16]) {
			t.Errorf("base64 of the secret is in %s", text)
		}
	}
}

func TestUnclassifiedErrorsAreInternalAndSilent(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	s := provider.New("flat", f, configuration("A"), deps(c))
	f.SetGate(func(context.Context, providertest.Call) error {
		return fmt.Errorf("provider says: %w", io.ErrNoProgress)
	})
	_, err := s.Stat(t.Context(), scope, "data/a")
	if !errs.Is(err, errs.Internal) || strings.Contains(err.Error(), "provider says") || !errors.Is(err, io.ErrNoProgress) || errs.From(err).Op != "flat.stat" {
		t.Errorf("%v", err)
	}
	f.SetGate(func(context.Context, providertest.Call) error {
		return &errs.Error{Kind: errs.Invalid, Origin: errs.Provider, Code: "<b>Bad\nCode</b>" + strings.Repeat("x", 500)}
	})
	_, err = s.Stat(t.Context(), scope, "data/a")
	if e := errs.From(err); e.Code != "" { // nor a part of it, which may be a part of a secret
		t.Errorf("code %q", e.Code)
	}
}

func TestReportsHoldNoSecret(t *testing.T) {
	s := provider.New("x", reporting{}, configuration("A"), deps(&clock{}))
	r, err := s.Check(t.Context(), "")
	if err != nil || strings.Contains(fmt.Sprint(r), "hunter2") {
		t.Errorf("%v, %v", r, err)
	}
}

type reporting struct{ driver.Source }

func (reporting) Check(context.Context, string) (driver.Report, error) {
	return driver.Report{Message: "as " + canary, Details: map[string]any{"a": canary, "b": map[string]any{"c": []any{canary}}}}, nil
}

func TestOptionalInterfaces(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	s := provider.New("flat", f, configuration("A"), deps(c))
	f.Inject(providertest.Fault{Method: providertest.Split, Times: 1, Action: providertest.Fail(errs.Throttled)})
	sp, ok := s.Splitter()
	if !ok {
		t.Fatal("no Splitter")
	}
	if parts, err := sp.Split(t.Context(), scope, 2); err != nil || len(parts) != 2 || f.Count(providertest.Split) != 2 {
		t.Errorf("%v, %v", parts, err)
	}
	if _, ok := s.Attributer(); !ok {
		t.Error("no Attributer")
	}
	r := provider.New("rows", providertest.NewRows(providertest.RowsOptions{}), configuration("A"), deps(c))
	if _, ok := r.Splitter(); ok {
		t.Error("a source that can't split says it can")
	}
}

func TestRegistry(t *testing.T) {
	var got config.Config
	reg := provider.Registry{"flat": func(_ context.Context, c config.Config, _ driver.Options) (driver.Source, error) {
		if got = c; c.Credential == "bad" {
			return nil, &errs.Error{Kind: errs.Invalid, Msg: "not with " + canary}
		}
		return flat(), nil
	}}
	d := deps(&clock{})
	d.Registry = reg
	s, err := provider.Open(t.Context(), "flat", configuration("A"), d)
	if err != nil || s.Provider() != "flat" || got.Credential != "access_key" {
		t.Errorf("%v", err)
	}
	if _, err := provider.Open(t.Context(), "none", configuration("A"), d); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "flat") {
		t.Errorf("%v", err)
	}
	bad := configuration("A")
	bad.Credential = "bad"
	if _, err := provider.Open(t.Context(), "flat", bad, d); !errs.Is(err, errs.Invalid) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestMetrics(t *testing.T) {
	f, c := flat(), &clock{at: providertest.Epoch}
	m := &counted{}
	d := deps(c)
	d.Metrics = m
	s := provider.New("flat", f, configuration("A"), d)
	f.FailPage(1, errs.Unavailable, 1)
	p, err := s.Changes(t.Context(), scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), p.Changes[0].Item, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r)
	want := "[flat changes unavailable flat changes retry 250ms flat changes ok flat open ok] 12"
	if got := fmt.Sprint(m.calls, m.read); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if c, ok := r.(driver.Checksummed); !ok || len(c.Checksums()) != 1 {
		t.Error("checksums are lost")
	}
}

type counted struct {
	calls []string
	read  int
}

func (m *counted) Call(p, method, kind string, _ time.Duration) {
	m.calls = append(m.calls, p+" "+method+" "+kind)
}

func (m *counted) Retry(p, method string, _ errs.Kind, d time.Duration) {
	m.calls = append(m.calls, p+" "+method+" retry "+d.String())
}
func (m *counted) Queued(string, string, time.Duration) {}
func (m *counted) Read(_ string, n int)                 { m.read += n }
