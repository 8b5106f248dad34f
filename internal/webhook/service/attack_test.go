package service_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/outbound"
	"mooring/internal/store"
	"mooring/internal/webhook/service"
)

// guarded has everything sent by the transport that real messages go by.
func (w *world) guarded(allow ...string) {
	o := outbound.Options{}
	for _, n := range allow {
		o.AllowNetworks = append(o.AllowNetworks, netip.MustParsePrefix(n))
	}
	g := outbound.New(o)
	w.t.Cleanup(g.Close)
	w.svc.Client, w.del.Client = g.Client(false), g.Client(false)
}

// TestAReceiverLeadsNowhereElse: a redirect is an answer, not a way, wherever to.
func TestAReceiverLeadsNowhereElse(t *testing.T) {
	var met atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { met.Add(1) }))
	defer inside.Close()
	for _, to := range []string{inside.URL, "http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "file:///etc/passwd", "/elsewhere"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			var asked atomic.Int32
			receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				rw.Header().Set("Location", to)
				rw.WriteHeader(status)
			}))
			w := newWorld(t)
			w.guarded("127.0.0.0/8")
			h := w.hook(receiver.URL)
			got, message, err := w.svc.Test(t.Context(), w.get(h), event.Message{ID: "msg", Type: event.SyncCompleted, Time: w.now})
			if err != nil || got != status || !strings.Contains(message, "answered") || asked.Load() != 1 {
				t.Errorf("%d to %s is %d, %q, %v after %d requests", status, to, got, message, err, asked.Load())
			}
			w.happen(1)
			w.turns(0, 1)
			if h = w.get(h); h.LastStatus == 200 || len(w.deliveries(h)) != 1 || asked.Load() != 2 {
				t.Errorf("%d to %s: %+v, %d waiting, after %d requests", status, to, h, len(w.deliveries(h)), asked.Load())
			}
			receiver.Close()
		}
	}
	if n := met.Load(); n != 0 {
		t.Errorf("another server was sent %d requests", n)
	}
}

// TestAnAddressIsJudgedWhenItIsUsed: one that was fine when it was given, and
// leads inside when a message is sent.
func TestAnAddressIsJudgedWhenItIsUsed(t *testing.T) {
	var met atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { met.Add(1) }))
	defer inside.Close()
	w := newWorld(t) // whose service allows all addresses
	w.guarded()
	h := w.hook(inside.URL)
	w.happen(1)
	w.turns(0, 1)
	if h = w.get(h); !strings.Contains(h.LastError, "--allow-network") || met.Load() != 0 {
		t.Errorf("%q after %d requests", h.LastError, met.Load())
	}
}

// TestWebhooksAreLimitedExactly: by many at once in one process, and by several
// processes, which only the store tells of each other.
func TestWebhooksAreLimitedExactly(t *testing.T) {
	w := newWorld(t)
	address := "https://receiver.example/"
	processes := []*service.Service{w.svc, {Store: w.store, Vault: plainVault{}, Client: http.DefaultClient, Now: w.svc.Now}}
	count := func() int {
		t.Helper()
		list, err := w.store.Webhooks().List(t.Context(), w.org, store.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	attempt := func(n int, through []*service.Service) (made int32) {
		var ok atomic.Int32
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				_, _, err := through[i%len(through)].Create(t.Context(), w.org, audit.System(), "usr_a", service.Draft{URL: &address})
				switch {
				case err == nil:
					ok.Add(1)
				case !errs.Is(err, errs.Conflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return ok.Load()
	}
	for range service.MaxWebhooks - 5 {
		if attempt(1, processes) != 1 {
			t.Fatal("one within the limit was refused")
		}
	}
	if made := attempt(40, processes[:1]); made != 5 || count() != service.MaxWebhooks {
		t.Errorf("one process made %d of 5, and there are %d", made, count())
	}
	for _, h := range w.all()[:5] {
		if err := w.svc.Delete(t.Context(), w.org, audit.System(), h); err != nil {
			t.Fatal(err)
		}
	}
	if made := attempt(40, processes); made > 5 || count() != service.MaxWebhooks-5+int(made) {
		t.Errorf("two processes made %d of 5, and there are %d", made, count())
	}
}

func (w *world) all() (out []id.Webhook) {
	list, err := w.store.Webhooks().List(w.t.Context(), w.org, store.Page{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range list.Items {
		out = append(out, h.ID)
	}
	return out
}
