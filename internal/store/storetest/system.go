package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/system"
	"mooring/internal/syncing"
	"mooring/internal/webhook"
)

func systemTests() []subtest {
	return []subtest{
		{"Organizations", testOrganizations},
		{"DueSyncs", testDueSyncs},
		{"Later", testLater},
		{"DeletedSyncs", testDeletedSyncs},
		{"DeletingBuckets", testDeletingBuckets},
		{"Census", testCensus},
		{"Meta", testMeta},
		{"MetaRace", testMetaRace},
	}
}

func testOrganizations(t *testing.T, h Harness) {
	var want []id.Org
	for n := range 5 {
		o := newOrganization(n / 2)
		ok(h.Store.Organizations().Insert(t.Context(), o.ID, o))(t)
	}
	var after id.Org
	last := time.Time{}
	for {
		page := ok(h.System.Organizations(t.Context(), after, 2))(t)
		for _, o := range page {
			if o.CreatedAt.Before(last) || o.CreatedAt.Equal(last) && o.ID <= after {
				t.Errorf("%s of %v came after %s of %v", o.ID, o.CreatedAt, after, last)
			}
			after, last, want = o.ID, o.CreatedAt, append(want, o.ID)
		}
		if len(page) < 2 {
			break
		}
	}
	same(t, "organizations", len(want), 5)
}

func testDueSyncs(t *testing.T, h Harness) {
	now := moment(1000)
	made := map[string]system.SyncRef{}
	for name, c := range map[string]struct {
		next                *int // of moment
		triggered, answered int64
		deleted             bool
	}{
		"late": {next: ptr(10)}, "later": {next: ptr(500)}, "now": {next: ptr(1000)}, "not yet": {next: ptr(1001)}, "never": {},
		"triggered": {next: ptr(5000), triggered: 2, answered: 1}, "answered": {triggered: 2, answered: 2}, "deleted": {next: ptr(1), triggered: 1, deleted: true},
	} {
		org := id.NewOrg()
		d := newSync(org, 1)
		if c.next != nil {
			at := moment(*c.next)
			d.NextSyncAt = &at
		}
		if d.Triggered, d.TriggerDone = c.triggered, c.answered; c.deleted {
			d.DeletedAt = &now
		}
		ok(h.Store.Syncs().Insert(t.Context(), org, d))(t)
		made[name] = system.SyncRef{Org: org, Sync: d.ID}
	}
	want := []system.SyncRef{made["triggered"], made["late"], made["later"], made["now"]}
	same(t, "due", ok(h.System.DueSyncs(t.Context(), now, 10))(t), want)
	for limit := 1; limit <= 3; limit++ {
		same(t, "due, limited", ok(h.System.DueSyncs(t.Context(), now, limit))(t), want[:limit])
	}
	ref := made["late"]
	ok(h.Store.Syncs().Update(t.Context(), ref.Org, ref.Sync, func(s *syncing.Sync) error { s.NextSyncAt = nil; return nil }))(t)
	ref = made["triggered"]
	ok(h.Store.Syncs().Update(t.Context(), ref.Org, ref.Sync, func(s *syncing.Sync) error { s.TriggerDone = s.Triggered; return nil }))(t)
	same(t, "due after updates", ok(h.System.DueSyncs(t.Context(), now, 10))(t), want[2:])
}

func ptr[T any](v T) *T { return &v }

// Each queue is read on from a point, whatever stands there and in whichever pages.
func testLater(t *testing.T, h Harness) {
	ctx := t.Context()
	var connections, syncs, webhooks []string
	for n, at := range []int{5, 10, 10, 10, 20, 30} {
		org, due := id.NewOrg(), ptr(moment(at))
		c, s, w := newConnection(org, n), newSync(org, n), newWebhook(org, at)
		c.NextCheckAt, s.NextSyncAt = due, due
		ok(h.Store.Connections().Insert(ctx, org, c))(t)
		ok(h.Store.Syncs().Insert(ctx, org, s))(t)
		ok(h.Store.Webhooks().Insert(ctx, org, w))(t)
		if at >= 10 {
			connections, syncs, webhooks = append(connections, string(c.ID)), append(syncs, string(s.ID)), append(webhooks, string(w.ID))
		}
	}
	org := id.NewOrg() // what is not due, or not sent to
	c, s, w := newConnection(org, 1), newSync(org, 1), newWebhook(org, 50)
	c.NextCheckAt, s.NextSyncAt, w.Status = nil, nil, webhook.Disabled
	ok(h.Store.Connections().Insert(ctx, org, c))(t)
	ok(h.Store.Syncs().Insert(ctx, org, s))(t)
	ok(h.Store.Webhooks().Insert(ctx, org, w))(t)
	for limit := 1; limit <= 7; limit++ {
		walk(t, "connections", connections, limit, h.System.LaterConnections, func(c connection.Connection) system.Point { return system.Point{At: *c.NextCheckAt, ID: string(c.ID)} })
		walk(t, "syncs", syncs, limit, h.System.LaterSyncs, func(s syncing.Sync) system.Point { return system.Point{At: *s.NextSyncAt, ID: string(s.ID)} })
		walk(t, "webhooks", webhooks, limit, h.System.LaterWebhooks, func(w webhook.Webhook) system.Point { return system.Point{At: w.RetryAt, ID: string(w.ID)} })
	}
}

func walk[T any](t *testing.T, what string, want []string, limit int, read func(context.Context, system.Point, int) ([]T, error), at func(T) system.Point) {
	t.Helper()
	var got []string
	last := system.Point{At: moment(5), ID: "~"} // after all ids
	for {
		some := ok(read(t.Context(), last, limit))(t)
		if len(some) == 0 {
			break
		}
		if len(some) > limit {
			t.Errorf("%d %s, asked for %d", len(some), what, limit)
		}
		for _, v := range some {
			next := at(v)
			if next.At.Before(last.At) || next.At.Equal(last.At) && next.ID <= last.ID {
				t.Errorf("%s: %v comes after %v", what, next, last)
			}
			got, last = append(got, next.ID), next
		}
	}
	slices.Sort(got)
	same(t, what, got, slices.Sorted(slices.Values(want)))
}

func testDeletedSyncs(t *testing.T, h Harness) {
	org, at := id.NewOrg(), moment(1)
	a, b := newSync(org, 1), newSync(org, 2)
	ok(h.Store.Syncs().Insert(t.Context(), org, a))(t)
	ok(h.Store.Syncs().Insert(t.Context(), org, b))(t)
	same(t, "deleted", len(ok(h.System.DeletedSyncs(t.Context(), 9))(t)), 0)
	ok(h.Store.Syncs().Update(t.Context(), org, b.ID, func(s *syncing.Sync) error { s.DeletedAt = &at; return nil }))(t)
	same(t, "deleted", ok(h.System.DeletedSyncs(t.Context(), 9))(t), []system.SyncRef{{Org: org, Sync: b.ID}})
	must(t, h.Store.Syncs().Remove(t.Context(), org, b.ID))
	same(t, "deleted, after Remove", len(ok(h.System.DeletedSyncs(t.Context(), 9))(t)), 0)
}

func testDeletingBuckets(t *testing.T, h Harness) {
	org := id.NewOrg()
	ok(h.Store.Buckets().Insert(t.Context(), org, newBucket(org, "ns_a", 1)))(t)
	b := ok(h.Store.Buckets().Insert(t.Context(), org, newBucket(org, "ns_a", 2)))(t)
	set := func(status string) {
		ok(h.Store.Buckets().Update(t.Context(), org, b.ID, func(b *bucket.Bucket) error { b.Status = status; return nil }))(t)
	}
	set(bucket.Deleting)
	same(t, "deleting", ok(h.System.DeletingBuckets(t.Context(), 9))(t), []system.BucketRef{{Org: org, Bucket: b.ID}})
	set(bucket.Archived)
	same(t, "deleting, when it is done", len(ok(h.System.DeletingBuckets(t.Context(), 9))(t)), 0)
}

func testMeta(t *testing.T, h Harness) {
	get := func() []byte { return ok(h.System.Meta(t.Context(), "fact"))(t) }
	if get() != nil {
		t.Error("a fact that was never set is not nil")
	}
	must(t, h.System.SetMeta(t.Context(), "fact", nil, []byte("one")))
	same(t, "the fact", get(), []byte("one"))
	wantKind(t, "setting it as if it were missing", h.System.SetMeta(t.Context(), "fact", nil, []byte("two")), errs.Conflict)
	wantKind(t, "setting it from another value", h.System.SetMeta(t.Context(), "fact", []byte("x"), []byte("two")), errs.Conflict)
	wantKind(t, "setting a missing one from a value", h.System.SetMeta(t.Context(), "other", []byte("x"), []byte("two")), errs.Conflict)
	must(t, h.System.SetMeta(t.Context(), "fact", []byte("one"), []byte{0, 0xff}))
	same(t, "the fact", get(), []byte{0, 0xff})
	if version := ok(h.System.Meta(t.Context(), "schema_version"))(t); len(version) == 0 {
		t.Error("the version of the schema is no fact")
	}
}

func testMetaRace(t *testing.T, h Harness) {
	var old []byte
	for round := range 3 {
		if n := winners(t, race(32, func(i int) error {
			return h.System.SetMeta(t.Context(), "fact", old, []byte{byte(round), byte(i)})
		}), errs.Conflict); n != 1 {
			t.Errorf("%d of 32 set the fact, want 1", n)
		}
		old = ok(h.System.Meta(t.Context(), "fact"))(t)
	}
}

func testCensus(t *testing.T, h Harness) {
	empty := ok(h.System.Census(t.Context(), moment(1)))(t)
	if len(empty.Connections) != 0 || empty.SyncDelay != 0 || empty.CheckDelay != 0 {
		t.Errorf("of an empty store: %+v", empty)
	}
	for n, c := range []struct {
		provider string
		status   connection.Status
		check    *int
	}{{"s3", connection.Active, ptr(10)}, {"s3", connection.Active, ptr(70)}, {"s3", connection.Failed, nil}, {"snowflake", connection.Active, ptr(500)}} {
		d := newConnection(id.NewOrg(), n)
		d.Provider, d.Status = c.provider, c.status
		if d.NextCheckAt = nil; c.check != nil {
			d.NextCheckAt = ptr(moment(*c.check))
		}
		ok(h.Store.Connections().Insert(t.Context(), d.Org, d))(t)
	}
	sy := newSync(id.NewOrg(), 1)
	sy.NextSyncAt = ptr(moment(40))
	ok(h.Store.Syncs().Insert(t.Context(), sy.Org, sy))(t)
	got := ok(h.System.Census(t.Context(), moment(100)))(t)
	counts := map[system.ConnectionCount]bool{}
	for _, c := range got.Connections {
		counts[c] = true
	}
	same(t, "the counts", counts, map[system.ConnectionCount]bool{
		{Provider: "s3", Status: connection.Active, N: 2}: true, {Provider: "s3", Status: connection.Failed, N: 1}: true,
		{Provider: "snowflake", Status: connection.Active, N: 1}: true,
	})
	same(t, "the delay of syncs", got.SyncDelay, moment(100).Sub(moment(40)))
	same(t, "the delay of checks", got.CheckDelay, moment(100).Sub(moment(10)))
}
