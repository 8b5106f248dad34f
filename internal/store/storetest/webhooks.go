package storetest

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/webhook"
)

func webhookTests() []subtest {
	return []subtest{
		{"Due", testDueWebhooks},
		{"Deliveries", testDeliveries},
		{"Remove", testRemoveWebhook},
		{"EventsAreDropped", testDropEvents},
	}
}

func newWebhook(org id.Org, n int) webhook.Webhook {
	return webhook.Webhook{
		ID: id.NewWebhook(), Org: org, URL: "https://receiver.example", Types: []string{"object.*"}, Status: webhook.Active, RetryAt: moment(n),
		Secrets: []webhook.Secret{{Value: bson.Binary{Subtype: 6, Data: []byte("sealed")}}}, CreatedAt: moment(n), UpdatedAt: moment(n),
	}
}

func newDelivery(org id.Org, w id.Webhook, n int) webhook.Delivery {
	message := string(id.NewEvent())
	return webhook.Delivery{
		ID: webhook.DeliveryID(w, message), Org: org, Webhook: w, Message: message, Sequence: int64(n), State: webhook.DeliveryPending, NextAt: ptr(moment(n)),
		CreatedAt: moment(n), UpdatedAt: moment(n),
	}
}

func webhookRecordTests() []subtest {
	out := recordsOf[webhook.Webhook, id.Webhook]{
		"Webhooks", func(s store.Store) store.Records[webhook.Webhook, id.Webhook] { return s.Webhooks() }, newWebhook,
		func(d *webhook.Webhook) id.Webhook { return d.ID }, func(d *webhook.Webhook) id.Org { return d.Org },
		func(d *webhook.Webhook) int64 { return d.Revision }, func(d *webhook.Webhook) *int64 { return &d.Position },
		func(d *webhook.Webhook) *time.Time { return &d.UpdatedAt },
	}.tests()
	return append(out, recordsOf[webhook.Delivery, string]{
		"Deliveries", func(s store.Store) store.Records[webhook.Delivery, string] { return s.Deliveries() },
		func(org id.Org, n int) webhook.Delivery { return newDelivery(org, "whk_a", n) },
		func(d *webhook.Delivery) string { return d.ID }, func(d *webhook.Delivery) id.Org { return d.Org },
		func(d *webhook.Delivery) int64 { return d.Revision }, func(d *webhook.Delivery) *int64 { return &d.Sequence },
		func(d *webhook.Delivery) *time.Time { return &d.UpdatedAt },
	}.tests()...)
}

func testDueWebhooks(t *testing.T, h Harness) {
	now, ctx := moment(1000), t.Context()
	org, quiet := id.NewOrg(), id.NewOrg()
	must(t, h.Store.Events().Append(ctx, org, []event.Event{newEvent(1), newEvent(2), newEvent(3)}))
	names := map[id.Webhook]string{}
	add := func(name string, org id.Org, change func(*webhook.Webhook)) webhook.Webhook {
		w := newWebhook(org, 1)
		change(&w)
		w = ok(h.Store.Webhooks().Insert(ctx, org, w))(t)
		names[w.ID] = name
		return w
	}
	add("behind", org, func(w *webhook.Webhook) { w.Position = 2 })
	add("behind and late", org, func(w *webhook.Webhook) { w.Position, w.RetryAt = 0, moment(0) })
	add("at the end", org, func(w *webhook.Webhook) { w.Position = 3 })
	add("resting", org, func(w *webhook.Webhook) { w.RetryAt = moment(1001) })
	add("disabled", org, func(w *webhook.Webhook) { w.Status = webhook.Disabled })
	add("without events", quiet, func(*webhook.Webhook) {})
	retried := add("with a delivery", org, func(w *webhook.Webhook) { w.Position = 3 })
	ok(h.Store.Deliveries().Insert(ctx, org, newDelivery(org, retried.ID, 900)))(t)
	later := add("with a later delivery", org, func(w *webhook.Webhook) { w.Position = 3 })
	ok(h.Store.Deliveries().Insert(ctx, org, newDelivery(org, later.ID, 1001)))(t)

	var got []string
	for _, ref := range ok(h.System.DueWebhooks(ctx, now, 100))(t) {
		if ref.Org != org {
			t.Errorf("%v is of another organization", ref)
		}
		got = append(got, names[ref.Webhook])
	}
	if len(got) == 0 || got[0] != "behind and late" {
		t.Errorf("the first is not the one that waits longest: %v", got)
	}
	slices.Sort(got)
	same(t, "due", got, []string{"behind", "behind and late", "with a delivery"})
	same(t, "a limit", len(ok(h.System.DueWebhooks(ctx, now, 2))(t)), 2)
}

func testDeliveries(t *testing.T, h Harness) {
	ctx, org := t.Context(), id.NewOrg()
	w := ok(h.Store.Webhooks().Insert(ctx, org, newWebhook(org, 1)))(t)
	for n := range 5 {
		d := newDelivery(org, w.ID, 10*n)
		if n == 4 {
			d.State, d.NextAt = webhook.DeliveryParked, nil
		}
		ok(h.Store.Deliveries().Insert(ctx, org, d))(t)
	}
	ok(h.Store.Deliveries().Insert(ctx, org, newDelivery(org, id.NewWebhook(), 0)))(t)
	sequences := func(list []webhook.Delivery) (out []int64) {
		for _, d := range list {
			out = append(out, d.Sequence)
		}
		return out
	}
	same(t, "due", sequences(ok(h.Store.Deliveries().Due(ctx, org, w.ID, moment(25), 10))(t)), []int64{0, 10, 20})
	same(t, "a limit", sequences(ok(h.Store.Deliveries().Due(ctx, org, w.ID, moment(25), 1))(t)), []int64{0})
	all := ok(h.Store.Deliveries().List(ctx, org, w.ID, "", store.Page{Limit: 3}))(t)
	same(t, "the list", sequences(all.Items), []int64{40, 30, 20})
	rest := ok(h.Store.Deliveries().List(ctx, org, w.ID, "", store.Page{Limit: 3, Cursor: all.Next}))(t)
	same(t, "the next page", sequences(rest.Items), []int64{10, 0})
	same(t, "parked", sequences(ok(h.Store.Deliveries().List(ctx, org, w.ID, webhook.DeliveryParked, whole))(t).Items), []int64{40})
	for range 2 {
		must(t, h.Store.Deliveries().Remove(ctx, org, all.Items[2].ID))
	}
	same(t, "after a removal", sequences(ok(h.Store.Deliveries().Due(ctx, org, w.ID, moment(25), 10))(t)), []int64{0, 10})
}

func testRemoveWebhook(t *testing.T, h Harness) {
	ctx, org := t.Context(), id.NewOrg()
	w, other := ok(h.Store.Webhooks().Insert(ctx, org, newWebhook(org, 1)))(t), ok(h.Store.Webhooks().Insert(ctx, org, newWebhook(org, 2)))(t)
	ok(h.Store.Deliveries().Insert(ctx, org, newDelivery(org, w.ID, 1)))(t)
	ok(h.Store.Deliveries().Insert(ctx, org, newDelivery(org, other.ID, 1)))(t)
	for range 2 {
		must(t, h.Store.Webhooks().Remove(ctx, org, w.ID))
	}
	same(t, "webhooks", len(ok(h.Store.Webhooks().List(ctx, org, whole))(t).Items), 1)
	same(t, "deliveries of it", len(ok(h.Store.Deliveries().List(ctx, org, w.ID, "", whole))(t).Items), 0)
	same(t, "deliveries of the other", len(ok(h.Store.Deliveries().List(ctx, org, other.ID, "", whole))(t).Items), 1)
}

func testDropEvents(t *testing.T, h Harness) {
	ctx, org, other := t.Context(), id.NewOrg(), id.NewOrg()
	same(t, "the last of none", ok(h.Store.Events().Last(ctx, org))(t), int64(0))
	for n := range 5 {
		must(t, h.Store.Events().Append(ctx, org, []event.Event{newEvent(n)}))
		must(t, h.Store.Events().Append(ctx, other, []event.Event{newEvent(n)}))
	}
	must(t, h.Store.Events().Drop(ctx, org, 3))
	same(t, "what is left", len(eventsOf(t, h, org)), 2)
	same(t, "the other's", len(eventsOf(t, h, other)), 5)
	must(t, h.Store.Events().Drop(ctx, org, 100))
	same(t, "the last, though it is gone", ok(h.Store.Events().Last(ctx, org))(t), int64(5))
	must(t, h.Store.Events().Append(ctx, org, []event.Event{newEvent(9)}))
	same(t, "the next", eventsOf(t, h, org)[0].Sequence, int64(6))
}
