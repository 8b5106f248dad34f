//go:build mongo

package mongo

import (
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

// A start makes each index that is missing, and refuses one that is another.
func TestIndexesAreMadeAndChecked(t *testing.T) {
	uri := fresh(t)
	s := open(t, uri)
	complete := func() {
		t.Helper()
		for name, indexes := range collections {
			known, err := s.db.Collection(name).Indexes().ListSpecifications(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range indexes {
				if !slices.ContainsFunc(known, func(k driver.IndexSpecification) bool { return k.Name == x.name && x.is(k) }) {
					t.Errorf("%s lacks the index %s", name, x.name)
				}
			}
		}
	}
	complete()
	const name = "original"
	indexes := s.db.Collection("objects").Indexes()
	if err := indexes.DropOne(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	other := driver.IndexModel{Keys: bson.D{{Key: "internal_id", Value: 1}, {Key: "size", Value: 1}}, Options: options.Index().SetName(name)}
	if _, err := indexes.CreateOne(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if refused, err := Open(t.Context(), Options{URI: secret.New(uri)}); !errs.Is(err, errs.Conflict) {
		t.Errorf("opened with an index that is another: %v, %v", refused, err)
	}
	if err := indexes.DropOne(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	open(t, uri)
	complete()
}
