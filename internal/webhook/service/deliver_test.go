package service_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
	"mooring/internal/store/system"
	"mooring/internal/webhook"
	"mooring/internal/webhook/service"
)

// plainVault seals nothing: csfle has tests of its own.
type plainVault struct{}

func (plainVault) Seal(_ context.Context, _ csfle.Binding, s secret.String) (bson.Binary, error) {
	return bson.Binary{Subtype: 6, Data: []byte(s.Reveal())}, nil
}

func (plainVault) Open(_ context.Context, _ csfle.Binding, b bson.Binary) (secret.String, error) {
	return secret.New(string(b.Data)), nil
}

// receiver answers as it is told and remembers what it took.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(id string) int
	after  string
	took   []string
	asked  int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{answer: func(string) int { return 200 }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		var m struct{ ID, Type string }
		_ = json.Unmarshal(body, &m)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked++
		status := r.answer(m.ID)
		if status == 200 && m.ID == q.Header.Get("Webhook-Id") {
			r.took = append(r.took, m.ID)
		}
		if r.after != "" {
			w.Header().Set("Retry-After", r.after)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) set(answer func(string) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.took)
	slices.Sort(out)
	return slices.Compact(out)
}

// world is an organization with events and a deliverer on a clock that is set.
type world struct {
	t     *testing.T
	store *sqlite.Store
	org   id.Org
	now   time.Time
	svc   *service.Service
	del   *service.Deliverer
	n     int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, org: id.NewOrg(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	var err error
	if w.store, err = sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	_, err = w.store.Organizations().Insert(t.Context(), w.org, access.Organization{ID: w.org, Name: "o", CreatedAt: w.now, UpdatedAt: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.svc = &service.Service{Store: w.store, Vault: plainVault{}, Client: http.DefaultClient, Now: clock}
	w.del = &service.Deliverer{Store: w.store, System: w.store.System(), Vault: plainVault{}, Client: http.DefaultClient, Log: slog.New(slog.DiscardHandler), Now: clock}
	return w
}

func (w *world) hook(url string, types ...string) webhook.Webhook {
	w.t.Helper()
	hook, _, err := w.svc.Create(w.t.Context(), w.org, audit.System(), "usr_a", service.Draft{URL: &url, Types: &types})
	if err != nil {
		w.t.Fatal(err)
	}
	return hook
}

// happen appends events and returns the ids of their messages.
func (w *world) happen(n int) (ids []string) {
	w.t.Helper()
	for range n {
		w.n++
		e := event.Event{ID: id.NewEvent(), Time: w.now, Type: event.SyncCompleted, Data: map[string]any{"n": w.n}}
		if w.n%2 == 0 {
			e.Type = event.Objects
			e.Data = map[string]any{"bucket_id": "bkt_a", event.List: []any{
				map[string]any{event.What: event.Created, "object_id": "obj_a"}, map[string]any{event.What: event.Deleted, "object_id": "obj_b"},
			}}
		}
		if err := w.store.Events().Append(w.t.Context(), w.org, []event.Event{e}); err != nil {
			w.t.Fatal(err)
		}
		for _, m := range e.Messages() {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// turns serves what is due until nothing is, and moves the clock by step
// between, until the clock is at the end of d.
func (w *world) turns(d, step time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); ; w.now = w.now.Add(step) {
		for {
			due, err := w.store.System().DueWebhooks(w.t.Context(), w.now, 100)
			if err != nil {
				w.t.Fatal(err)
			}
			progress := false
			for _, ref := range due {
				more, err := w.del.Turn(w.t.Context(), ref)
				if err != nil {
					w.t.Fatal(err)
				}
				progress = progress || more
			}
			if !progress {
				break
			}
		}
		if !w.now.Before(end) {
			return
		}
	}
}

func (w *world) get(h webhook.Webhook) webhook.Webhook {
	w.t.Helper()
	out, err := w.store.Webhooks().Get(w.t.Context(), w.org, h.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) deliveries(h webhook.Webhook) []webhook.Delivery {
	w.t.Helper()
	list, err := w.store.Deliveries().List(w.t.Context(), w.org, h.ID, "", store.Page{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

func TestEveryMessageIsSentOnceWhenAllGoesWell(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	w.happen(3) // before the webhook: not for it
	h := w.hook(r.URL)
	ids := w.happen(60)
	w.turns(0, time.Second)
	if got := r.taken(); !slices.Equal(got, ids) || r.asked != len(ids) {
		t.Errorf("%d of %d messages, with %d requests", len(got), len(ids), r.asked)
	}
	if got := w.get(h); got.Position != 63 || len(w.deliveries(h)) != 0 || got.LastSentAt == nil {
		t.Errorf("afterwards: %+v", got)
	}
	only := w.hook(r.URL, event.ObjectDeleted)
	r.took = nil
	w.happen(4)
	w.turns(0, time.Second)
	deleted := 0
	for _, m := range r.took {
		if strings.HasSuffix(m, ".1") {
			deleted++
		}
	}
	if deleted != 4 { // twice, by each webhook
		t.Errorf("%d messages of deletions: %v; %+v", deleted, r.took, w.get(only))
	}
}

// A receiver that is down loses nothing, leaves no rows, and delays nobody else.
func TestAReceiverThatIsDown(t *testing.T) {
	w, down, up := newWorld(t), newReceiver(t), newReceiver(t)
	down.set(func(string) int { return 503 })
	h := w.hook(down.URL)
	w.hook(up.URL)
	ids := w.happen(200)
	w.turns(6*time.Hour, 10*time.Minute)
	if got := up.taken(); !slices.Equal(got, ids) {
		t.Errorf("the other got %d of %d", len(got), len(ids))
	}
	if got := w.get(h); got.Failures < 3 || got.Status != webhook.Active || len(w.deliveries(h)) != 0 || down.asked > 20*got.Failures {
		t.Errorf("while it is down: %+v, %d deliveries, %d requests", got, len(w.deliveries(h)), down.asked)
	}
	down.set(func(string) int { return 200 })
	w.turns(24*time.Hour, time.Hour)
	if got := down.taken(); !slices.Equal(got, ids) {
		t.Errorf("it got %d of %d", len(got), len(ids))
	}
	if got := w.get(h); got.Failures != 0 || got.LastError != "" {
		t.Errorf("afterwards: %+v", got)
	}
}

// A message that the receiver does not take holds up no other, is tried for
// days, then parked, and can be sent again.
func TestAMessageThatIsNotTaken(t *testing.T) {
	for _, status := range []int{400, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			w, r := newWorld(t), newReceiver(t)
			h := w.hook(r.URL, event.SyncCompleted)
			ids := w.happen(30)
			bad := w.firstWanted()
			r.set(func(m string) int {
				if m == bad {
					return status
				}
				return 200
			})
			w.turns(time.Hour, time.Minute)
			want := slices.DeleteFunc(slices.Clone(ids), func(m string) bool { return m == bad || strings.Contains(m, ".") })
			if got := r.taken(); !slices.Equal(got, want) {
				t.Errorf("it got %d of %d others", len(got), len(want))
			}
			w.turns(100*time.Hour, time.Hour)
			list := w.deliveries(h)
			if len(list) != 1 || list[0].State != webhook.DeliveryParked || list[0].Message != bad || list[0].LastStatus != status {
				t.Fatalf("after days: %+v", list)
			}
			r.set(func(string) int { return 200 })
			if n, err := w.svc.Redeliver(t.Context(), w.org, h.ID, nil); n != 1 || err != nil {
				t.Errorf("redeliver: %d, %v", n, err)
			}
			w.turns(0, time.Second)
			if !slices.Contains(r.taken(), bad) || len(w.deliveries(h)) != 0 {
				t.Error("it was not sent again")
			}
		})
	}
}

// firstWanted is the first message of type sync.completed.
func (w *world) firstWanted() string {
	w.t.Helper()
	list, err := w.store.Events().List(w.t.Context(), w.org, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range list {
		if e.Type == event.SyncCompleted {
			return string(e.ID)
		}
	}
	return ""
}

func TestAReceiverThatNeverComesBackIsParked(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	r.set(func(string) int { return 502 })
	h, gone := w.hook(r.URL), w.hook(r.URL+"/gone")
	w.happen(1)
	w.turns(100*time.Hour, time.Hour)
	got := w.get(h)
	if got.Status != webhook.Parked || got.StatusReason == "" || got.Position != 0 {
		t.Errorf("got %+v", got)
	}
	r.set(func(string) int { return 410 })
	if _, err := w.svc.Update(t.Context(), w.org, audit.System(), gone.ID, service.Draft{Enabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	w.turns(0, time.Second)
	if got := w.get(gone); got.Status != webhook.Parked || !strings.Contains(got.StatusReason, "gone") {
		t.Errorf("410: %+v", got)
	}
	r.set(func(string) int { return 200 })
	if _, err := w.svc.Update(t.Context(), w.org, audit.System(), h.ID, service.Draft{Enabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	w.turns(0, time.Second)
	if got := w.get(h); got.Status != webhook.Active || got.Position != 1 || len(r.taken()) != 1 {
		t.Errorf("enabled again: %+v, %v", got, r.taken())
	}
}

// After an outage nobody waits for the next attempt.
func TestWhatWaitsIsSentAgainOnRequest(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	r.set(func(string) int { return 400 })
	h := w.hook(r.URL)
	ids := w.happen(600) // more than one page of deliveries
	w.turns(time.Minute, time.Second)
	if n := len(w.deliveries(h)); n != len(ids) {
		t.Fatalf("%d of %d deliveries wait", n, len(ids))
	}
	r.set(func(string) int { return 200 })
	w.turns(0, time.Second)
	if len(r.taken()) != 0 {
		t.Fatal("nothing is due yet")
	}
	if _, err := w.svc.Redeliver(t.Context(), w.org, h.ID, []string{"evt_unknown"}); !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown one: %v", err)
	}
	if n, err := w.svc.Redeliver(t.Context(), w.org, h.ID, ids[:1]); n != 1 || err != nil {
		t.Errorf("one: %d, %v", n, err)
	}
	w.turns(0, time.Second)
	if got := r.taken(); !slices.Equal(got, ids[:1]) {
		t.Errorf("one: it got %v", got)
	}
	if n, err := w.svc.Redeliver(t.Context(), w.org, h.ID, nil); n != len(ids)-1 || err != nil {
		t.Errorf("all: %d, %v", n, err)
	}
	w.turns(0, time.Second)
	if got := r.taken(); !slices.Equal(got, ids) || len(w.deliveries(h)) != 0 {
		t.Errorf("all: it got %d of %d", len(got), len(ids))
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	r.set(func(string) int { return 429 })
	r.after = "7200"
	h := w.hook(r.URL)
	w.happen(1)
	w.turns(0, time.Second)
	if got := w.get(h); got.RetryAt.Sub(w.now) != 2*time.Hour {
		t.Errorf("it waits %v", got.RetryAt.Sub(w.now))
	}
}

// Events go after a week; what a webhook has not got stays for a month.
func TestOldEventsAreRemoved(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	r.set(func(string) int { return 503 })
	w.happen(700)
	h := w.hook(r.URL)
	w.happen(5)
	left := func() int {
		list, err := w.store.Events().List(t.Context(), w.org, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.del.Sweep(t.Context())
	if left() != 5 {
		t.Errorf("%d events are left, want those that the webhook has not got", left())
	}
	w.now = w.now.Add(23 * 24 * time.Hour)
	w.del.Sweep(t.Context())
	if left() != 0 {
		t.Errorf("%d events are left after a month", left())
	}
	if more, err := w.del.Turn(t.Context(), system.WebhookRef{Org: w.org, Webhook: h.ID}); more || err != nil {
		t.Errorf("a turn without events: %v, %v", more, err)
	}
}

// What was removed while a webhook was disabled is not passed over in silence.
func TestAWebhookEnabledAgainSaysWhatItMissed(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	h := w.hook(r.URL)
	set := func(enabled bool) webhook.Webhook {
		t.Helper()
		got, err := w.svc.Update(t.Context(), w.org, audit.System(), h.ID, service.Draft{Enabled: &enabled})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	set(false)
	w.happen(3)
	if got := set(true); got.StatusReason != "" {
		t.Errorf("nothing is missing, and it says %q", got.StatusReason)
	}
	set(false)
	if err := w.store.Events().Drop(t.Context(), w.org, 2); err != nil {
		t.Fatal(err)
	}
	if got := set(true); !strings.Contains(got.StatusReason, "the events 1 to 2 are no longer kept") {
		t.Errorf("two are missing, and it says %q", got.StatusReason)
	}
	set(false)
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.del.Sweep(t.Context())
	if got := set(true); !strings.Contains(got.StatusReason, "1 to 3 are") {
		t.Errorf("all are missing, and it says %q", got.StatusReason)
	}
}

func TestAddressesAndTypesAreChecked(t *testing.T) {
	w := newWorld(t)
	w.svc.Allowed = func(_ context.Context, host string) error {
		if host == "10.0.0.1" {
			return errs.New(errs.Invalid, "outbound", "10.0.0.1 is private")
		}
		return nil
	}
	for _, bad := range []string{"ftp://a.example", "https://user:pw@a.example", "not a url", "https://", "https://10.0.0.1/x", "https://a.example/#f"} {
		_, _, err := w.svc.Create(t.Context(), w.org, audit.System(), "usr_a", service.Draft{URL: &bad})
		if !errs.Is(err, errs.Invalid) || len(errs.From(err).Fields) != 1 || strings.Contains(fmt.Sprint(err), "pw@") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	types := []string{"object.*", "sync.finished", "obj.*"}
	_, err := w.svc.Update(t.Context(), w.org, audit.System(), "whk_none", service.Draft{Types: &types})
	if len(errs.From(err).Fields) != 2 {
		t.Errorf("types: %v", err)
	}
}
