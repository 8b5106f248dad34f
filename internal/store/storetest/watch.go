package storetest

import (
	"sync/atomic"
	"testing"

	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/system"
)

func watchTests() []subtest {
	return []subtest{
		{"Due", testDueConnections},
		{"Beat", testBeat},
		{"BeatRace", testBeatRace},
		{"Unused", testUnused},
		{"Usage", testUsage},
		{"UsageRace", testUsageRace},
	}
}

func testDueConnections(t *testing.T, h Harness) {
	now := moment(100)
	var want []system.DueConnection
	for i, at := range []*int{ptr(5), ptr(50), ptr(100), ptr(101), nil} {
		org := id.NewOrg()
		c := newConnection(org, 1)
		c.Config.Fields = map[string]any{"region": []string{"a", "b"}[i%2]}
		if at != nil {
			c.NextCheckAt = ptr(moment(*at))
		}
		ok(h.Store.Connections().Insert(t.Context(), org, c))(t)
		if at != nil && *at <= 100 {
			want = append(want, system.DueConnection{Org: org, Connection: c.ID, Host: c.Config.Host(), Due: moment(*at)})
		}
	}
	due := func(limit int, except ...string) []system.DueConnection {
		return ok(h.System.DueConnections(t.Context(), now, except, limit))(t)
	}
	same(t, "due", due(9), want)
	same(t, "due, limited", due(2), want[:2])
	same(t, "due, but for a host", due(2, "s3.a", "none"), want[1:2])
	ok(h.Store.Connections().Update(t.Context(), want[0].Org, want[0].Connection, func(c *connection.Connection) error { c.NextCheckAt = nil; return nil }))(t)
	same(t, "due, less one", due(9), want[1:])
	if !ok(h.Store.Connections().Beat(t.Context(), want[1].Org, want[1].Connection, 1, connection.Beat{NextCheckAt: moment(500)}))(t) {
		t.Error("a beat was not kept")
	}
	same(t, "due, after a beat", due(9), want[2:])
}

func testBeat(t *testing.T, h Harness) {
	org := id.NewOrg()
	c := newConnection(org, 1)
	c.NextCheckAt = ptr(moment(5))
	c = ok(h.Store.Connections().Insert(t.Context(), org, c))(t)
	beat := func(org id.Org, revision int64, b connection.Beat) bool {
		return ok(h.Store.Connections().Beat(t.Context(), org, c.ID, revision, b))(t)
	}
	if beat(org, 2, connection.Beat{NextCheckAt: moment(9)}) || beat(id.NewOrg(), 1, connection.Beat{NextCheckAt: moment(9)}) {
		t.Error("a beat was kept for a revision, or an organization, that the record has not")
	}
	if !beat(org, 1, connection.Beat{CheckedAt: ptr(moment(20)), SuccessAt: moment(19), NextCheckAt: moment(30)}) ||
		!beat(org, 1, connection.Beat{SuccessAt: moment(15), NextCheckAt: moment(40)}) { // of a sync that began before
		t.Error("a beat was not kept")
	}
	c.LastCheckedAt, c.LastSuccessAt, c.NextCheckAt = ptr(moment(20)), ptr(moment(19)), ptr(moment(40))
	h = h.Reopen(t)
	same(t, "a record after beats", ok(h.Store.Connections().Get(t.Context(), org, c.ID))(t), c)
	got := ok(h.Store.Connections().Update(t.Context(), org, c.ID, func(c *connection.Connection) error { c.Failures = 1; return nil }))(t)
	c.Failures, c.Revision = 1, 2
	same(t, "an update after beats", got, c)
	same(t, "a record after that", ok(h.Store.Connections().Get(t.Context(), org, c.ID))(t), c)
}

// testBeatRace: an update decides by what it has read, so that a beat in between
// must not be lost on it, nor overwritten by it.
func testBeatRace(t *testing.T, h Harness) {
	org := id.NewOrg()
	c := ok(h.Store.Connections().Insert(t.Context(), org, newConnection(org, 1)))(t)
	var reads atomic.Int64
	got := ok(h.Store.Connections().Update(t.Context(), org, c.ID, func(cur *connection.Connection) error {
		if n := reads.Add(1); n < 4 {
			if !ok(h.Store.Connections().Beat(t.Context(), org, c.ID, 1, connection.Beat{SuccessAt: moment(int(n)), NextCheckAt: moment(9)}))(t) {
				t.Error("a beat was not kept")
			}
		}
		cur.Failures++
		return nil
	}))(t)
	c.Failures, c.Revision, c.LastSuccessAt, c.NextCheckAt = 1, 2, ptr(moment(3)), ptr(moment(9))
	same(t, "the record", got, c)
	same(t, "how often the update looked", reads.Load(), int64(4))
}

func testUnused(t *testing.T, h Harness) {
	org := id.NewOrg()
	never := ok(h.Store.Connections().Insert(t.Context(), org, newConnection(org, 1)))(t)
	used := newConnection(org, 2)
	used = ok(h.Store.Connections().Insert(t.Context(), org, used))(t)
	must(t, h.Store.Connections().Touch(t.Context(), org, used.ID))
	at := *ok(h.Store.Connections().Get(t.Context(), org, used.ID))(t).LastUsedAt
	for since, want := range map[int64][]id.Connection{at.UnixMilli(): {never.ID}, at.UnixMilli() + 1: {used.ID, never.ID}} {
		f := connection.Filter{UnusedSince: moment(int(since - moment(0).UnixMilli()))}
		var ids []id.Connection
		for _, c := range ok(h.Store.Connections().List(t.Context(), org, f, store.Page{Limit: 10}))(t).Items {
			ids = append(ids, c.ID)
		}
		same(t, "unused", ids, want)
		same(t, "how many are unused", ok(h.Store.Connections().Count(t.Context(), org, f))(t), int64(len(want)))
	}
}

func testUsage(t *testing.T, h Harness) {
	org, a, b := id.NewOrg(), id.NewConnection(), id.NewConnection()
	add := func(parts ...connection.Usage) { must(t, h.Store.Usage().Add(t.Context(), org, parts)) }
	list := func(org id.Org, conn id.Connection, first, last string) []connection.Usage {
		return ok(h.Store.Usage().List(t.Context(), org, conn, first, last))(t)
	}
	run := connection.Usage{Connection: a, Day: "2026-01-02", Syncs: 1, Objects: 5, Bytes: 6, Runs: map[string]int64{"sync_x": 2}}
	older := run
	older.Runs = map[string]int64{"sync_x": 1}
	add(run,
		connection.Usage{Connection: a, Day: "2026-01-02", Requests: 3, Throttles: 1, Errors: map[string]int64{"unavailable": 1}},
		connection.Usage{Connection: a, Day: "2026-01-01", Requests: 1},
		connection.Usage{Connection: b, Day: "2026-01-02", Requests: 7})
	add(run, older)
	add(connection.Usage{Connection: a, Day: "2026-01-02", Requests: 1, Errors: map[string]int64{"unavailable": 1, "invalid": 2}})
	h = h.Reopen(t)
	first := connection.Usage{Org: org, Connection: a, Day: "2026-01-01", Requests: 1}
	second := connection.Usage{Org: org, Connection: a, Day: "2026-01-02", Syncs: 1, Objects: 5, Bytes: 6, Requests: 4, Throttles: 1,
		Errors: map[string]int64{"unavailable": 2, "invalid": 2}, Runs: map[string]int64{"sync_x": 2}}
	same(t, "the days", list(org, a, "2026-01-01", "2026-01-02"), []connection.Usage{first, second})
	same(t, "one day", list(org, a, "2026-01-02", "2026-01-31"), []connection.Usage{second})
	same(t, "another's", list(id.NewOrg(), a, "2026-01-01", "2026-01-02"), []connection.Usage{})
	must(t, h.Store.Usage().Prune(t.Context(), id.NewOrg(), "2027-01-01"))
	must(t, h.Store.Usage().Prune(t.Context(), org, "2026-01-02"))
	same(t, "the days that are left", list(org, a, "2026-01-01", "2026-01-02"), []connection.Usage{second})
}

func testUsageRace(t *testing.T, h Harness) {
	org, conn := id.NewOrg(), id.NewConnection()
	for _, err := range race(32, func(i int) error {
		return h.Store.Usage().Add(t.Context(), org, []connection.Usage{
			{Connection: conn, Day: "2026-01-02", Requests: 1},
			{Connection: conn, Day: "2026-01-02", Syncs: 1, Runs: map[string]int64{"sync_x": int64(1 + i/16)}},
		})
	}) {
		must(t, err)
	}
	got := ok(h.Store.Usage().List(t.Context(), org, conn, "2026-01-02", "2026-01-02"))(t)
	if len(got) != 1 || got[0].Requests != 32 || got[0].Syncs < 1 || got[0].Syncs > 2 || got[0].Runs["sync_x"] != 2 {
		t.Errorf("32 at once left %+v", got)
	}
}
