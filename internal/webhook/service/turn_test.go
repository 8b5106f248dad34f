package service_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
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
	"mooring/internal/store/system"
	"mooring/internal/webhook"
	"mooring/internal/webhook/service"
)

// record appends one event that stands for n messages and returns their ids.
func (w *world) record(n int) (ids []string) {
	w.t.Helper()
	list := make([]any, n)
	for i := range list {
		list[i] = map[string]any{event.What: event.Created, "object_id": "obj_a"}
	}
	e := event.Event{ID: id.NewEvent(), Time: w.now, Type: event.Objects, Data: map[string]any{"bucket_id": "bkt_a", event.List: list}}
	if err := w.store.Events().Append(w.t.Context(), w.org, []event.Event{e}); err != nil {
		w.t.Fatal(err)
	}
	for _, m := range e.Messages() {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}

func (w *world) turn(ctx context.Context, h webhook.Webhook) (more bool, err error) {
	return w.del.Turn(ctx, system.WebhookRef{Org: w.org, Webhook: h.ID})
}

// A turn is bounded in messages, not in events: the next goes on within one.
func TestATurnEndsWithinALargeEvent(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	h := w.hook(r.URL)
	ids := w.record(250)
	if more, err := w.turn(t.Context(), h); !more || err != nil || r.asked != 100 {
		t.Errorf("after a turn %d messages were sent; more: %v, %v", r.asked, more, err)
	}
	if got := w.get(h); got.Position != 0 || got.Part != 100 {
		t.Errorf("it is at %d.%d", got.Position, got.Part)
	}
	w.turns(0, time.Second)
	if got := w.get(h); r.asked != 250 || !slices.Equal(r.taken(), ids) || got.Position != 1 || got.Part != 0 {
		t.Errorf("%d requests for %d messages; it is at %d.%d", r.asked, len(r.taken()), got.Position, got.Part)
	}
}

// What was sent before a shutdown is not sent again after it, but for what was
// on its way.
func TestAShutdownKeepsWhatWasSent(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	h := w.hook(r.URL)
	ids := w.record(90)
	ctx, cancel := context.WithCancel(t.Context())
	r.set(func(string) int {
		if r.asked == 50 {
			cancel()
		}
		return 200
	})
	if _, err := w.turn(ctx, h); err != nil {
		t.Fatal(err)
	}
	if got := w.get(h); got.Part < 40 || got.Failures != 0 {
		t.Errorf("it is at %d.%d with %d failures", got.Position, got.Part, got.Failures)
	}
	r.set(func(string) int { return 200 })
	w.turns(0, time.Second)
	if !slices.Equal(r.taken(), ids) || r.asked > 90+16 {
		t.Errorf("%d requests for %d messages", r.asked, len(r.taken()))
	}
}

// A webhook that is changed is obeyed soon, and what its former receiver
// answered is not held against the new one.
func TestAChangedWebhookIsObeyedAtOnce(t *testing.T) {
	w, old, other := newWorld(t), newReceiver(t), newReceiver(t)
	h := w.hook(old.URL)
	ids := w.record(90)
	old.set(func(string) int {
		if old.asked == 1 {
			_, _ = w.svc.Update(t.Context(), w.org, audit.System(), h.ID, service.Draft{URL: &other.URL})
		}
		return 200
	})
	w.turns(0, time.Second)
	if old.asked > 8 || len(old.taken())+len(other.taken()) < len(ids) {
		t.Errorf("the old receiver got %d, the new one %d", old.asked, len(other.taken()))
	}
	other.set(func(string) int { return 503 })
	w.happen(1)
	w.turns(8*time.Hour, time.Minute)
	if got := w.get(h); got.Failures < 4 {
		t.Fatalf("it does not rest: %+v", got)
	}
	if _, err := w.svc.Update(t.Context(), w.org, audit.System(), h.ID, service.Draft{URL: new(old.URL + "/right")}); err != nil {
		t.Fatal(err)
	}
	w.turns(0, time.Second)
	if got := w.get(h); got.Position != 2 {
		t.Errorf("a new address waits for the old one's: %+v", got)
	}
}

// A wrong address answers 404 to everything: that must not fill the store.
func TestAReceiverThatTakesNothingIsAsGoodAsDown(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	r.set(func(string) int { return 404 })
	h := w.hook(r.URL)
	var ids []string
	for range 30 {
		ids = append(ids, w.record(50)...)
	}
	slices.Sort(ids)
	w.turns(time.Hour, time.Minute)
	if got := w.get(h); len(w.deliveries(h)) > 1000 || got.Failures == 0 || got.LastStatus != 404 {
		t.Errorf("%d deliveries; %+v", len(w.deliveries(h)), got)
	}
	r.set(func(string) int { return 200 })
	w.turns(100*time.Hour, time.Hour)
	if got := r.taken(); !slices.Equal(got, ids) {
		t.Errorf("afterwards it got %d of %d", len(got), len(ids))
	}
}

// What waits keeps its event; what was given up is kept for a month; and nothing
// that is gone counts as sent.
func TestDeliveriesAndTheirEvents(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	h := w.hook(r.URL)
	ids := w.happen(1)
	w.now = w.now.Add(8 * day)
	r.set(func(string) int { return 400 })
	w.turns(0, time.Second)
	w.del.Sweep(t.Context())
	if list := w.deliveries(h); len(list) != 1 || list[0].State != webhook.DeliveryPending {
		t.Fatalf("got %+v", list)
	}
	r.set(func(string) int { return 200 })
	w.turns(time.Hour, time.Minute)
	if !slices.Equal(r.taken(), ids) {
		t.Error("an old event that waited to be sent again was lost")
	}

	r.set(func(string) int { return 400 })
	w.happen(1)
	w.turns(100*time.Hour, time.Hour)
	w.now = w.now.Add(20 * day)
	w.del.Sweep(t.Context())
	if _, err := w.svc.Redeliver(t.Context(), w.org, h.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.turns(0, time.Second)
	if list := w.deliveries(h); len(list) != 2 || list[0].State != webhook.DeliveryParked || !strings.Contains(list[0].LastError, "no longer kept") {
		t.Errorf("of an event that is gone: %+v", list)
	}
	w.now = w.now.Add(31 * day)
	w.del.Sweep(t.Context())
	if list := w.deliveries(h); len(list) != 0 {
		t.Errorf("after a month: %+v", list)
	}
	if _, err := w.svc.Update(t.Context(), w.org, audit.System(), h.ID, service.Draft{Enabled: new(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Redeliver(t.Context(), w.org, h.ID, nil); !errs.Is(err, errs.Conflict) {
		t.Errorf("a disabled webhook: %v", err)
	}
}

const day = 24 * time.Hour

// A webhook whose events were removed before it got them is not due for ever.
func TestRemovedEventsAreBehindAWebhook(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	h := w.hook(r.URL)
	w.happen(3)
	if err := w.store.Events().Drop(t.Context(), w.org, 3); err != nil {
		t.Fatal(err)
	}
	w.turns(0, time.Second)
	if due, err := w.store.System().DueWebhooks(t.Context(), w.now, 10); len(due) != 0 || err != nil || w.get(h).Position != 3 {
		t.Errorf("still due: %v, %v", due, err)
	}
}

// faulty can't open the secrets of one organization.
type faulty struct {
	plainVault
	org   id.Org
	asked *atomic.Int32
}

func (f faulty) Open(ctx context.Context, b csfle.Binding, s bson.Binary) (secret.String, error) {
	if b.Org == f.org {
		f.asked.Add(1)
		return secret.String{}, errors.New("the key was destroyed")
	}
	return f.plainVault.Open(ctx, b, s)
}

// Neither many slow receivers of one organization nor webhooks that can't be
// served at all keep others waiting.
func TestOneOrganizationDoesNotHoldUpAnother(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(hang) })
	several := func(n int, url string) id.Org {
		org := id.NewOrg()
		if _, err := w.store.Organizations().Insert(t.Context(), org, access.Organization{ID: org, Name: string(org)}); err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, _, err := w.svc.Create(t.Context(), org, audit.System(), "usr_a", service.Draft{URL: &url}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.store.Events().Append(t.Context(), org, []event.Event{{ID: id.NewEvent(), Time: w.now, Type: event.SyncFailed}}); err != nil {
			t.Fatal(err)
		}
		return org
	}
	several(100, slow.URL)
	several(100, slow.URL)
	var asked atomic.Int32
	w.del.Vault = faulty{org: several(20, r.URL), asked: &asked}
	w.del.Poll = time.Millisecond
	w.now = w.now.Add(time.Second) // the last in the queue
	w.hook(r.URL)
	ids := w.happen(1)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.del.Run(ctx); close(ended) }()
	for deadline := time.Now().Add(10 * time.Second); len(r.taken()) < len(ids) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if !slices.Equal(r.taken(), ids) {
		t.Error("it got nothing before the slow ones were given up")
	}
	cancel()
	<-ended // at once, though receivers hang
	if n := asked.Load(); n > 20 {
		t.Errorf("what can't be served was tried %d times", n)
	}
}
