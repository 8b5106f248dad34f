package storetest

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle/vaulttest"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/store/raw"
)

// RunRaw proves that a store is the same after all its documents were put into
// an empty one. The stores that open gives, new and empty each time, have a method
// Raw.
func RunRaw(t *testing.T, open func(t *testing.T) Harness) {
	for _, s := range []struct {
		name string
		run  func(*testing.T, func(t *testing.T) Harness)
	}{
		{"Whole", testRawWhole},
		{"Beside", testRawBeside},
		{"Again", testRawAgain},
		{"Erase", testRawErase},
		{"Refused", testRawRefused},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open) })
	}
}

// Populate gives a store an organization with something of every kind.
func Populate(t *testing.T, h Harness) id.Org {
	t.Helper()
	org := populate(t, h).org
	must(t, h.Store.KeyVault().Insert(t.Context(), vaulttest.Document(string(org)+"/1")))
	h.relay(t)
	return org
}

// Sums are the sums of all collections of a store.
func Sums(t *testing.T, s raw.Source) map[raw.Collection]raw.Sum {
	t.Helper()
	out := map[raw.Collection]raw.Sum{}
	for _, c := range raw.Collections {
		var sum raw.Sum
		must(t, s.Each(t.Context(), c, sum.Add))
		out[c] = sum
	}
	return out
}

// Move puts all documents of a store into another.
func Move(t *testing.T, from raw.Source, to raw.Target) {
	t.Helper()
	for _, c := range raw.Collections {
		var docs []bson.Raw
		must(t, from.Each(t.Context(), c, func(d bson.Raw) error {
			docs = append(docs, append(bson.Raw{}, d...))
			return nil
		}))
		must(t, to.Put(t.Context(), c, docs))
		var put, got raw.Sum
		for _, d := range docs {
			must(t, put.Add(d))
		}
		if must(t, to.Each(t.Context(), c, got.Add)); got.N < put.N { // whatever the others hold
			t.Errorf("%s gives back %d of %d documents", c, got.N, put.N)
		}
	}
}

// EqualSums compares the sums of all collections.
func EqualSums(t *testing.T, got, want map[raw.Collection]raw.Sum) {
	t.Helper()
	for _, c := range raw.Collections {
		g, w := got[c], want[c]
		if !g.Equal(&w) {
			t.Errorf("%s: %d documents of %s, want %d of %s", c, g.N, g.Hex(), w.N, w.Hex())
		}
	}
}

// Everything that a store holds is there after a move: each role gives it back.
func testRawWhole(t *testing.T, open func(t *testing.T) Harness) {
	from := open(t)
	docs := rawOf(t, from)
	org := Populate(t, from)
	key := ok(from.Store.KeyVault().GetByAltName(t.Context(), string(org)+"/1"))(t)
	second := newOrganization(2)
	ok(from.Store.Organizations().Insert(t.Context(), second.ID, second))(t)
	must(t, from.System.SetMeta(t.Context(), "a fact", nil, []byte("value")))
	want := Sums(t, docs)
	for c, sum := range want {
		if c != raw.Checkpoints && sum.N == 0 {
			t.Errorf("the test has nothing in %s", c)
		}
	}
	to := open(t)
	moved := rawOf(t, to)
	Move(t, docs, moved)
	EqualSums(t, Sums(t, moved), want)

	ctx := t.Context()
	if v := ok(to.System.Meta(ctx, "a fact"))(t); string(v) != "value" {
		t.Errorf("the fact is %q", v)
	}
	same(t, "organizations", len(ok(to.System.Organizations(ctx, "", 10))(t)), 2)
	conns := ok(to.Store.Connections().List(ctx, org, connection.Filter{}, store.Page{}))(t)
	same(t, "connections", len(conns.Items), 1)
	same(t, "the data key", ok(to.Store.KeyVault().Get(ctx, key.ID))(t), key)
	same(t, "the last event", ok(to.Store.Events().Last(ctx, org))(t), ok(from.Store.Events().Last(ctx, org))(t))
	same(t, "the trail", ok(to.Store.Audit().Scan(ctx, org, 0, 100))(t), ok(from.Store.Audit().Scan(ctx, org, 0, 100))(t))
	// What was moved can be changed, and names are still unique.
	ok(to.Store.Connections().Update(ctx, org, conns.Items[0].ID, func(c *connection.Connection) error {
		c.Name += " renamed"
		return nil
	}))(t)
	_, err := to.Store.Organizations().Insert(ctx, second.ID, second)
	wantKind(t, "another of the same id", err, errs.AlreadyExists)
}

// What a store keeps beside a document moves with it.
func testRawBeside(t *testing.T, open func(t *testing.T) Harness) {
	from := open(t)
	ctx, s := t.Context(), from.Store
	org := id.NewOrg()
	c := ok(s.Connections().Insert(ctx, org, newConnection(org, 1)))(t)
	must(t, s.Connections().Touch(ctx, org, c.ID))
	kept := ok(s.Connections().Beat(ctx, org, c.ID, c.Revision, connection.Beat{NextCheckAt: moment(70), CheckedAt: ptr(moment(60)), SuccessAt: moment(60)}))(t)
	same(t, "kept", kept, true)
	const b, sync = id.Bucket("bkt_a"), id.Sync("sync_a")
	o := newObject(org, b, c.ID, sync, "key", 1)
	must(t, s.Catalogue().Upsert(ctx, org, b, []bucket.Object{o}))
	again := o
	again.CreatedAt = o.CreatedAt.Add(time.Hour) // the first one stays
	must(t, s.Catalogue().Upsert(ctx, org, b, []bucket.Object{again}))
	must(t, s.Catalogue().MarkSeen(ctx, org, b, "pass_2", []id.Object{o.ID}))
	from = from.Reopen(t) // writes what was held back

	to := open(t)
	Move(t, rawOf(t, from), rawOf(t, to))
	same(t, "connection", ok(to.Store.Connections().Get(ctx, org, c.ID))(t), ok(from.Store.Connections().Get(ctx, org, c.ID))(t))
	same(t, "object", ok(to.Store.Catalogue().Get(ctx, org, b, o.ID))(t), ok(from.Store.Catalogue().Get(ctx, org, b, o.ID))(t))
	unseen := ok(to.Store.Catalogue().Unseen(ctx, org, b, sync, "pass_2", key.Key(""), 10))(t)
	same(t, "unseen", len(unseen), 0)
	due := ok(to.System.DueConnections(ctx, moment(70), nil, 10))(t)
	same(t, "due", len(due), 1)
	unused := ok(to.Store.Connections().Count(ctx, org, connection.Filter{UnusedSince: moment(0)}))(t)
	same(t, "unused since", unused, int64(0))
}

// rawOf gives the documents of a store that offers them.
func rawOf(t *testing.T, h Harness) raw.Target {
	t.Helper()
	s, can := h.Store.(interface{ Raw() raw.Target })
	if !can {
		t.Fatal("the store does not give its documents")
	}
	return s.Raw()
}

// Putting documents again changes nothing.
func testRawAgain(t *testing.T, open func(t *testing.T) Harness) {
	from := open(t)
	docs := rawOf(t, from)
	Populate(t, from)
	moved := rawOf(t, open(t))
	Move(t, docs, moved)
	Move(t, docs, moved)
	EqualSums(t, Sums(t, moved), Sums(t, docs))
}

// An erased collection is empty, and the others are as they were.
func testRawErase(t *testing.T, open func(t *testing.T) Harness) {
	h := open(t)
	docs := rawOf(t, h)
	Populate(t, h)
	for _, c := range raw.Collections {
		before := Sums(t, docs)
		must(t, docs.Erase(t.Context(), c))
		before[c] = raw.Sum{}
		EqualSums(t, Sums(t, docs), before)
	}
	must(t, h.Store.Ping(t.Context()))
}

// What can't be a document of a collection is refused.
func testRawRefused(t *testing.T, open func(t *testing.T) Harness) {
	docs := rawOf(t, open(t))
	for _, c := range raw.Collections {
		if err := docs.Put(t.Context(), c, []bson.Raw{[]byte("\x05\x00\x00\x00\x01")}); err == nil {
			t.Errorf("%s takes nonsense", c)
		}
		if err := docs.Put(t.Context(), c, []bson.Raw{[]byte("\x05\x00\x00\x00\x00")}); err == nil {
			t.Errorf("%s takes an empty document", c)
		}
	}
	wantKind(t, "Put", docs.Put(t.Context(), "nonsense", nil), errs.Invalid)
	wantKind(t, "Erase", docs.Erase(t.Context(), "nonsense"), errs.Invalid)
	wantKind(t, "Each", docs.Each(t.Context(), "nonsense", nil), errs.Invalid)
}
