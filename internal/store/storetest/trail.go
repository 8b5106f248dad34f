package storetest

import (
	"slices"
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

func trailTests() []subtest {
	return []subtest{
		{"OutboxMovesOn", testOutbox},
		{"RefusedWritesTellNothing", testOutboxRefused},
		{"SequencesHaveNoGaps", testSequences},
		{"AppendIsIdempotent", testAppend},
		{"AuditFilters", testAuditFilters},
		{"EventsInOrder", testEventsInOrder},
		{"AuditIsChained", testAuditChain},
		{"AuditIsPruned", testAuditPrune},
	}
}

func auditOf(t *testing.T, h Harness, org id.Org) []audit.Entry {
	t.Helper()
	h.relay(t)
	return ok(h.Store.Audit().List(t.Context(), org, audit.Filter{}, 0, 1000))(t)
}

func eventsOf(t *testing.T, h Harness, org id.Org) []event.Event {
	t.Helper()
	h.relay(t)
	return ok(h.Store.Events().List(t.Context(), org, 0, 1000))(t)
}

func testOutbox(t *testing.T, h Harness) {
	org := id.NewOrg()
	c := newConnection(org, 1)
	c.Outbox.Note(moment(1), audit.System(), audit.ConnectionCreated, audit.StorageConnection, string(c.ID), true, map[string]any{"name": "x"})
	c.Outbox.Raise(moment(1), event.ConnectionRecovered, string(c.ID), nil)
	entry, raised := c.Outbox.Audit[0], c.Outbox.Events[0]
	out := ok(h.Store.Connections().Insert(t.Context(), org, c))(t)
	if !out.Outbox.Empty() {
		t.Error("what Insert returned has a filled outbox")
	}
	entry.Org, entry.Sequence, raised.Org, raised.Sequence = org, 1, org, 1
	same(t, "the trail", auditOf(t, h, org), []audit.Entry{entry})
	same(t, "the events", eventsOf(t, h, org), []event.Event{raised})
	same(t, "the entry", ok(h.Store.Audit().Get(t.Context(), org, entry.ID))(t), entry)

	out = ok(h.Store.Connections().Update(t.Context(), org, c.ID, func(c *connection.Connection) error {
		if !c.Outbox.Empty() {
			t.Error("a change sees a filled outbox")
		}
		c.Outbox.Note(moment(2), audit.System(), audit.ConnectionTested, audit.StorageConnection, string(c.ID), true, nil)
		return nil
	}))(t)
	if !out.Outbox.Empty() {
		t.Error("what Update returned has a filled outbox")
	}
	trail := auditOf(t, h, org)
	if len(trail) != 2 || trail[0].Action != audit.ConnectionTested || trail[0].Sequence != 2 {
		t.Errorf("the trail after an update that only notes: %+v", trail)
	}
	if got := ok(h.Store.Connections().Get(t.Context(), org, c.ID))(t); !got.Outbox.Empty() {
		t.Error("Get shows a filled outbox")
	}
}

func testOutboxRefused(t *testing.T, h Harness) {
	org := id.NewOrg()
	c := newConnection(org, 1)
	ok(h.Store.Connections().Insert(t.Context(), org, c))(t)
	c.Outbox.Note(moment(1), audit.System(), audit.ConnectionCreated, audit.StorageConnection, string(c.ID), true, nil)
	_, err := h.Store.Connections().Insert(t.Context(), org, c)
	wantKind(t, "a second Insert", err, errs.AlreadyExists)
	_, err = h.Store.Connections().Update(t.Context(), org, c.ID, func(c *connection.Connection) error {
		c.Outbox.Raise(moment(1), event.ConnectionFailed, string(c.ID), nil)
		return errTest
	})
	if err == nil {
		t.Error("the error of a change was lost")
	}
	same(t, "the trail", len(auditOf(t, h, org)), 0)
	same(t, "the events", len(eventsOf(t, h, org)), 0)
}

func testSequences(t *testing.T, h Harness) {
	const n = 48
	org, other := id.NewOrg(), id.NewOrg()
	d := ok(h.Store.Runs().Insert(t.Context(), org, newRun(org, syncA, bktA, 1)))(t)
	for _, err := range race(n, func(i int) error {
		if i%3 == 0 {
			return h.Store.Events().Append(t.Context(), org, []event.Event{newEvent(i)})
		}
		if err := h.Store.Audit().Append(t.Context(), other, []audit.Entry{newEntry(i)}); err != nil {
			return err
		}
		_, err := h.Store.Runs().Update(t.Context(), org, d.ID, func(r *syncing.Run) error {
			r.Outbox.Raise(moment(i), event.SyncCompleted, string(r.ID), nil)
			r.Outbox.Note(moment(i), audit.System(), audit.BucketUpdated, audit.Bucket, string(bktA), true, nil)
			return nil
		})
		return err
	}) {
		must(t, err)
	}
	events := eventsOf(t, h, org)
	same(t, "events", len(events), n)
	for i, e := range events {
		if e.Sequence != int64(i+1) || e.Org != org {
			t.Fatalf("event %d has sequence %d of %s", i+1, e.Sequence, e.Org)
		}
	}
	for _, o := range []id.Org{org, other} {
		trail := auditOf(t, h, o)
		slices.SortFunc(trail, func(a, b audit.Entry) int { return int(a.Sequence - b.Sequence) })
		same(t, "audit entries", len(trail), n*2/3)
		for i, e := range trail {
			if e.Sequence != int64(i+1) {
				t.Fatalf("entry %d has sequence %d", i+1, e.Sequence)
			}
		}
	}
}

func testAppend(t *testing.T, h Harness) {
	org := id.NewOrg()
	entries, events := []audit.Entry{newEntry(1), newEntry(2)}, []event.Event{newEvent(1), newEvent(2)}
	for range 3 {
		must(t, h.Store.Audit().Append(t.Context(), org, entries))
		must(t, h.Store.Events().Append(t.Context(), org, events))
	}
	must(t, h.Store.Events().Append(t.Context(), org, nil))
	must(t, h.Store.Audit().Append(t.Context(), org, nil))
	must(t, h.Store.Events().Append(t.Context(), org, []event.Event{events[0], newEvent(3)}))
	got := eventsOf(t, h, org)
	same(t, "events", len(got), 3)
	same(t, "the last sequence", got[2].Sequence, int64(3))
	same(t, "entries", len(auditOf(t, h, org)), 2)
	other := id.NewOrg()
	must(t, h.Store.Events().Append(t.Context(), other, []event.Event{newEvent(1)}))
	same(t, "the first sequence of another organization", eventsOf(t, h, other)[0].Sequence, int64(1))
}

func testAuditFilters(t *testing.T, h Harness) {
	org := id.NewOrg()
	var made []audit.Entry
	for n, c := range []struct{ resourceType, resource, actor, action string }{
		{"bucket", "bkt_a", "usr_a", "x"}, {"bucket", "bkt_b", "usr_b", "y"}, {"user", "usr_c", "usr_a", "y"}, {"bucket", "bkt_a", "usr_b", "x"},
	} {
		e := newEntry(n)
		e.ResourceType, e.ResourceID, e.Actor.ID, e.Action = c.resourceType, c.resource, c.actor, c.action
		made = append(made, e)
	}
	must(t, h.Store.Audit().Append(t.Context(), org, made))
	for _, c := range []struct {
		filter audit.Filter
		want   []int
	}{
		{audit.Filter{}, []int{3, 2, 1, 0}},
		{audit.Filter{ResourceType: "bucket"}, []int{3, 1, 0}},
		{audit.Filter{ResourceID: "bkt_a"}, []int{3, 0}},
		{audit.Filter{ActorID: "usr_a"}, []int{2, 0}},
		{audit.Filter{Action: "y"}, []int{2, 1}},
		{audit.Filter{Start: moment(1)}, []int{3, 2, 1}},
		{audit.Filter{Start: moment(1).Add(time.Nanosecond)}, []int{3, 2}},
		{audit.Filter{End: moment(2)}, []int{1, 0}},
		{audit.Filter{End: moment(2).Add(time.Nanosecond)}, []int{2, 1, 0}},
		{audit.Filter{ResourceType: "bucket", ActorID: "usr_b", Start: moment(2)}, []int{3}},
	} {
		var want []id.Audit
		for _, i := range c.want {
			want = append(want, made[i].ID)
		}
		var got []id.Audit
		for skip := 0; ; skip += 2 {
			page := ok(h.Store.Audit().List(t.Context(), org, c.filter, skip, 2))(t)
			for _, e := range page {
				got = append(got, e.ID)
			}
			if len(page) < 2 {
				break
			}
		}
		same(t, "list", got, want)
		same(t, "count", ok(h.Store.Audit().Count(t.Context(), org, c.filter))(t), int64(len(want)))
	}
	_, err := h.Store.Audit().Get(t.Context(), org, "aud_none")
	wantKind(t, "Get of an unknown entry", err, errs.NotFound)
	_, err = h.Store.Audit().List(t.Context(), org, audit.Filter{}, -1, 1)
	wantKind(t, "a negative skip", err, errs.Invalid)
}

func testEventsInOrder(t *testing.T, h Harness) {
	org := id.NewOrg()
	for n := range 5 {
		must(t, h.Store.Events().Append(t.Context(), org, []event.Event{newEvent(5 - n)}))
	}
	var got []int64
	for after := int64(0); ; {
		page := ok(h.Store.Events().List(t.Context(), org, after, 2))(t)
		for _, e := range page {
			after, got = e.Sequence, append(got, e.Sequence)
		}
		if len(page) < 2 {
			break
		}
	}
	same(t, "sequences", got, []int64{1, 2, 3, 4, 5})
}
