//go:build mongo

package mongo

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/key"
	"mooring/internal/store/raw"
	"mooring/internal/store/sqlite"
	"mooring/internal/store/storetest"
)

// Every collection is one of documents, or is known to be none.
func TestRawHoldsEveryCollection(t *testing.T) {
	none := map[string]bool{"leases": true, "sessions": true}
	held := map[string]bool{}
	for _, c := range raw.Collections {
		held[string(c)] = true
		if _, known := collections[string(c)]; !known {
			t.Errorf("there is no collection %s", c)
		}
	}
	for name := range collections {
		if held[name] == none[name] {
			t.Errorf("%s is in neither or both", name)
		}
	}
}

// Both stores give the same documents: what goes from one to the other and back
// is the same.
func TestRawFromSQLiteAndBack(t *testing.T) {
	embedded := func() *sqlite.Store {
		s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	first, shared, last := embedded(), open(t, fresh(t)), embedded()
	storetest.Populate(t, storetest.Harness{Store: first, System: first.System()})
	storetest.Move(t, first.Raw(), shared.Raw())
	storetest.EqualSums(t, storetest.Sums(t, shared.Raw()), storetest.Sums(t, first.Raw()))
	storetest.Move(t, shared.Raw(), last.Raw())
	storetest.EqualSums(t, storetest.Sums(t, last.Raw()), storetest.Sums(t, first.Raw()))
}

// The fact that stands while a store is filled is neither read, put nor erased.
func TestRawLeavesTheMark(t *testing.T) {
	s := open(t, fresh(t))
	if err := s.System().SetMeta(t.Context(), raw.Mark, nil, []byte("mark")); err != nil {
		t.Fatal(err)
	}
	if err := s.Raw().Erase(t.Context(), raw.Meta); err != nil {
		t.Fatal(err)
	}
	if err := s.Raw().Each(t.Context(), raw.Meta, func(d bson.Raw) error { t.Errorf("met %v", d); return nil }); err != nil {
		t.Fatal(err)
	}
	if v, err := s.System().Meta(t.Context(), raw.Mark); err != nil || string(v) != "mark" {
		t.Errorf("the mark is %q, %v", v, err)
	}
}

// A name that two sources had, each at its time, is that of the one put last.
func TestRawNamesThatMoved(t *testing.T) {
	s := open(t, fresh(t))
	put := func(source string) {
		t.Helper()
		b, err := bson.Marshal(raw.Name{Org: "int_a", Bucket: "bkt_a", Source: key.Key(source), Name: "name", Folded: "folded"})
		if err == nil {
			err = s.Raw().Put(t.Context(), raw.Names, []bson.Raw{b})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	put("b")
	var left []string
	if err := s.Raw().Each(t.Context(), raw.Names, func(d bson.Raw) error {
		left = append(left, d.Lookup("source_id").StringValue())
		return nil
	}); err != nil || len(left) != 1 || left[0] != "b" {
		t.Errorf("left are %v, %v", left, err)
	}
}
