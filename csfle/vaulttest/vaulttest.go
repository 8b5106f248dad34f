// Package vaulttest proves that a csfle.KeyVault keeps its contract. Every
// sentence of the contract has a subtest.
package vaulttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
)

// Run runs the suite. open returns a new, empty vault for each subtest and
// registers its own clean-up with t.
func Run(t *testing.T, open func(t *testing.T) csfle.KeyVault) {
	for _, s := range []struct {
		name string
		test func(*testing.T, csfle.KeyVault)
	}{
		{"RoundTrip", testRoundTrip},
		{"NotFound", testNotFound},
		{"NoSharedMemory", testNoSharedMemory},
		{"InsertRefusesTaken", testInsertRefusesTaken},
		{"InsertRefusesInvalid", testInsertRefusesInvalid},
		{"InsertRace", testInsertRace},
		{"Replace", testReplace},
		{"ReplaceConflict", testReplaceConflict},
		{"ReplaceRace", testReplaceRace},
		{"Delete", testDelete},
		{"ListOrder", testListOrder},
		{"ListPrefixIsLiteral", testListPrefixIsLiteral},
		{"ListPages", testListPages},
		{"ContextEnded", testContextEnded},
	} {
		t.Run(s.name, func(t *testing.T) { s.test(t, open(t)) })
	}
}

// Document returns a valid key document with that alternate name and random
// contents, which no master key opens.
func Document(name string) csfle.KeyDocument {
	doc := csfle.KeyDocument{
		AltNames:     []string{name},
		KeyMaterial:  make([]byte, 160),
		CreationDate: time.UnixMilli(1700000000123).UTC(),
		UpdateDate:   time.UnixMilli(1700000001456).UTC(),
		MasterKey:    raw(bson.D{{Key: "provider", Value: "local"}}),
	}
	_, _ = rand.Read(doc.ID[:])
	_, _ = rand.Read(doc.KeyMaterial)
	return doc
}

func testRoundTrip(t *testing.T, v csfle.KeyVault) {
	want := Document("int_a/1")
	want.Status = 1
	want.MasterKey = raw(bson.D{{Key: "key", Value: "arn:x"}, {Key: "provider", Value: "aws"}, {Key: "region", Value: "eu-west-1"}})
	insert(t, v, want, Document("int_a/2"))
	got, err := v.Get(t.Context(), want.ID)
	same(t, "Get", got, err, want)
	got, err = v.GetByAltName(t.Context(), "int_a/1")
	same(t, "GetByAltName", got, err, want)
	got, err = only(v.List(t.Context(), "", "", 1))
	same(t, "List", got, err, want)
}

func testNotFound(t *testing.T, v csfle.KeyVault) {
	there, absent := Document("int_a/1"), Document("int_a/2")
	insert(t, v, there)
	_, err := v.Get(t.Context(), absent.ID)
	kind(t, "Get", err, errs.NotFound)
	for _, name := range []string{"int_a/2", "int_a/", "int_a/1 ", "INT_A/1", ""} {
		_, err = v.GetByAltName(t.Context(), name)
		kind(t, "GetByAltName "+name, err, errs.NotFound)
	}
	kind(t, "Replace", v.Replace(t.Context(), absent.KeyMaterial, absent), errs.NotFound)
	kind(t, "Delete", v.Delete(t.Context(), absent.ID), errs.NotFound)
	holds(t, v, there)
}

func testNoSharedMemory(t *testing.T, v csfle.KeyVault) {
	spoil := func(d csfle.KeyDocument) {
		d.AltNames[0] = "spoiled"
		clear(d.KeyMaterial)
		clear(d.MasterKey)
	}
	want := Document("int_a/1")
	given := want.Clone()
	insert(t, v, given)
	spoil(given)
	holds(t, v, want)
	next := want.Clone()
	next.KeyMaterial = Document("x").KeyMaterial
	old := slices.Clone(want.KeyMaterial)
	want = next.Clone()
	must(t, "Replace", v.Replace(t.Context(), old, next))
	spoil(next)
	for range 2 {
		got, err := v.Get(t.Context(), want.ID)
		same(t, "Get", got, err, want)
		spoil(got)
		got, err = v.GetByAltName(t.Context(), "int_a/1")
		same(t, "GetByAltName", got, err, want)
		spoil(got)
		got, err = only(v.List(t.Context(), "", "", 10))
		same(t, "List", got, err, want)
		spoil(got)
	}
}

func testInsertRefusesTaken(t *testing.T, v csfle.KeyVault) {
	first := Document("int_a/1")
	insert(t, v, first)
	kind(t, "the same again", v.Insert(t.Context(), first), errs.AlreadyExists)
	sameID := Document("int_a/2")
	sameID.ID = first.ID
	kind(t, "the same id", v.Insert(t.Context(), sameID), errs.AlreadyExists)
	kind(t, "the same name", v.Insert(t.Context(), Document("int_a/1")), errs.AlreadyExists)
	holds(t, v, first)
	insert(t, v, Document("INT_A/1")) // another name
}

func testInsertRefusesInvalid(t *testing.T, v csfle.KeyVault) {
	for what, change := range map[string]func(*csfle.KeyDocument){
		"no name":           func(d *csfle.KeyDocument) { d.AltNames = nil },
		"two names":         func(d *csfle.KeyDocument) { d.AltNames = []string{"a", "b"} },
		"empty name":        func(d *csfle.KeyDocument) { d.AltNames = []string{""} },
		"name with a space": func(d *csfle.KeyDocument) { d.AltNames = []string{"a b"} },
		"name not ASCII":    func(d *csfle.KeyDocument) { d.AltNames = []string{"é"} },
		"no material":       func(d *csfle.KeyDocument) { d.KeyMaterial = nil },
		"no master key":     func(d *csfle.KeyDocument) { d.MasterKey = nil },
		"unknown provider":  func(d *csfle.KeyDocument) { d.MasterKey = raw(bson.D{{Key: "provider", Value: "x"}}) },
	} {
		doc := Document("int_a/1")
		change(&doc)
		kind(t, what, v.Insert(t.Context(), doc), errs.Invalid)
	}
	holds(t, v)
}

func testInsertRace(t *testing.T, v csfle.KeyVault) {
	docs := make([]csfle.KeyDocument, 8)
	results := race(len(docs), func(i int) error {
		docs[i] = Document("int_a/1")
		return v.Insert(t.Context(), docs[i])
	})
	if winner, ok := oneWinner(t, results, errs.AlreadyExists); ok {
		holds(t, v, docs[winner])
	}
}

func testReplace(t *testing.T, v csfle.KeyVault) {
	doc, other := Document("int_a/1"), Document("int_a/2")
	insert(t, v, doc, other)
	next := Document("int_z/9") // its name, dates of creation and status are to be ignored
	next.ID = doc.ID
	next.Status = 1
	next.CreationDate = doc.CreationDate.Add(time.Hour)
	next.UpdateDate = doc.UpdateDate.Add(time.Hour)
	next.MasterKey = raw(bson.D{{Key: "provider", Value: "kmip"}, {Key: "keyId", Value: "7"}})
	must(t, "Replace", v.Replace(t.Context(), doc.KeyMaterial, next))
	doc.KeyMaterial, doc.MasterKey, doc.UpdateDate = next.KeyMaterial, next.MasterKey, next.UpdateDate
	holds(t, v, doc, other)
}

func testReplaceConflict(t *testing.T, v csfle.KeyVault) {
	doc := Document("int_a/1")
	insert(t, v, doc)
	next := Document("int_a/1")
	next.ID = doc.ID
	kind(t, "other old material", v.Replace(t.Context(), next.KeyMaterial, next), errs.Conflict)
	kind(t, "no old material", v.Replace(t.Context(), nil, next), errs.Conflict)
	kind(t, "part of the old material", v.Replace(t.Context(), doc.KeyMaterial[:159], next), errs.Conflict)
	holds(t, v, doc)
	invalid := next.Clone()
	invalid.KeyMaterial = nil
	kind(t, "invalid document", v.Replace(t.Context(), doc.KeyMaterial, invalid), errs.Invalid)
	holds(t, v, doc)
}

func testReplaceRace(t *testing.T, v csfle.KeyVault) {
	doc := Document("int_a/1")
	insert(t, v, doc)
	next := make([]csfle.KeyDocument, 8)
	results := race(len(next), func(i int) error {
		next[i] = Document("int_a/1")
		next[i].ID = doc.ID
		return v.Replace(t.Context(), doc.KeyMaterial, next[i])
	})
	if winner, ok := oneWinner(t, results, errs.Conflict); ok {
		holds(t, v, next[winner])
	}
}

func testDelete(t *testing.T, v csfle.KeyVault) {
	doc, other := Document("int_a/1"), Document("int_a/2")
	insert(t, v, doc, other)
	must(t, "Delete", v.Delete(t.Context(), doc.ID))
	holds(t, v, other)
	_, err := v.Get(t.Context(), doc.ID)
	kind(t, "Get", err, errs.NotFound)
	_, err = v.GetByAltName(t.Context(), "int_a/1")
	kind(t, "GetByAltName", err, errs.NotFound)
	kind(t, "Delete again", v.Delete(t.Context(), doc.ID), errs.NotFound)
	kind(t, "Replace", v.Replace(t.Context(), doc.KeyMaterial, doc), errs.NotFound)
	again := Document("int_a/1")
	insert(t, v, again)
	holds(t, v, again, other)
}

func testListOrder(t *testing.T, v csfle.KeyVault) {
	names := []string{"~", "int_b/1", "int_a/2", "int_a/10", "int_a/1", "int_aa/1", "INT_A/1", "int_a", "!", "int_a/1x"}
	for _, n := range names {
		insert(t, v, Document(n))
	}
	slices.Sort(names)
	listed(t, v, "", "", 100, names...)
	listed(t, v, "int_a/", "", 100, "int_a/1", "int_a/10", "int_a/1x", "int_a/2")
	listed(t, v, "int_a/", "int_a/10", 100, "int_a/1x", "int_a/2")
	listed(t, v, "int_a/", "int_a/11", 100, "int_a/1x", "int_a/2")
	listed(t, v, "int_a/", "A", 100, "int_a/1", "int_a/10", "int_a/1x", "int_a/2")
	listed(t, v, "int_a/", "int_a/2", 100)
	listed(t, v, "int_a/", "z", 100)
	listed(t, v, "int_c", "", 100)
	listed(t, v, "~", "", 100, "~")
}

func testListPrefixIsLiteral(t *testing.T, v csfle.KeyVault) {
	special := []string{"%", "_", "*", "?", ".", "^", "[a]", `\`, "'", `"`, "$", "(", "|"}
	insert(t, v, Document("xa/1"))
	for _, s := range special {
		insert(t, v, Document("x"+s+"/1"))
	}
	for _, s := range special {
		listed(t, v, "x"+s+"/", "", 100, "x"+s+"/1")
	}
	listed(t, v, "X", "", 100)
}

func testListPages(t *testing.T, v csfle.KeyVault) {
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("int_a/%02d", i))
		insert(t, v, Document(want[i]))
	}
	insert(t, v, Document("int_b/1"))
	for _, limit := range []int{1, 5, 7, 25, 26} {
		var got []string
		for after := ""; ; {
			page, err := v.List(t.Context(), "int_a/", after, limit)
			must(t, "List", err)
			if len(page) > limit {
				t.Fatalf("a page of %d holds %d keys", limit, len(page))
			}
			got = append(got, namesOf(page)...)
			if len(page) < limit {
				break
			}
			after = page[len(page)-1].AltNames[0]
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q", limit, got)
		}
	}
	for _, limit := range []int{0, -1} {
		_, err := v.List(t.Context(), "", "", limit)
		kind(t, fmt.Sprint("limit ", limit), err, errs.Invalid)
	}
}

func testContextEnded(t *testing.T, v csfle.KeyVault) {
	doc := Document("int_a/1")
	insert(t, v, doc)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Get(ctx, doc.ID)
	kind(t, "Get", err, errs.Canceled)
	_, err = v.GetByAltName(ctx, "int_a/1")
	kind(t, "GetByAltName", err, errs.Canceled)
	_, err = v.List(ctx, "", "", 1)
	kind(t, "List", err, errs.Canceled)
	kind(t, "Insert", v.Insert(ctx, Document("int_a/2")), errs.Canceled)
	kind(t, "Delete", v.Delete(ctx, doc.ID), errs.Canceled)
	next := Document("int_a/1")
	next.ID = doc.ID
	kind(t, "Replace", v.Replace(ctx, doc.KeyMaterial, next), errs.Canceled)
	holds(t, v, doc)
}

func raw(d bson.D) bson.Raw {
	b, err := bson.Marshal(d)
	if err != nil {
		panic(err) // the suite's own documents
	}
	return b
}

func insert(t *testing.T, v csfle.KeyVault, docs ...csfle.KeyDocument) {
	t.Helper()
	for _, d := range docs {
		must(t, "Insert", v.Insert(t.Context(), d))
	}
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func kind(t *testing.T, what string, err error, want errs.Kind) {
	t.Helper()
	if !errs.Is(err, want) {
		t.Errorf("%s: got error %v, want kind %v", what, err, want)
	}
}

func same(t *testing.T, what string, got csfle.KeyDocument, err error, want csfle.KeyDocument) {
	t.Helper()
	must(t, what, err)
	g, err := got.MarshalBSON()
	must(t, what, err)
	w, err := want.MarshalBSON()
	must(t, what, err)
	if !bytes.Equal(g, w) {
		t.Fatalf("%s: got %v, want %v", what, bson.Raw(g), bson.Raw(w))
	}
}

// holds checks that the vault holds exactly these keys, given in order of their names.
func holds(t *testing.T, v csfle.KeyVault, want ...csfle.KeyDocument) {
	t.Helper()
	got, err := v.List(t.Context(), "", "", len(want)+1)
	must(t, "List", err)
	if len(got) != len(want) {
		t.Fatalf("the vault holds %q, want %q", namesOf(got), namesOf(want))
	}
	for i := range want {
		same(t, "List", got[i], nil, want[i])
		g, err := v.Get(t.Context(), want[i].ID)
		same(t, "Get", g, err, want[i])
	}
}

func listed(t *testing.T, v csfle.KeyVault, prefix, after string, limit int, want ...string) {
	t.Helper()
	page, err := v.List(t.Context(), prefix, after, limit)
	must(t, "List", err)
	if got := namesOf(page); !slices.Equal(got, want) {
		t.Errorf("List(%q, %q, %d) = %q, want %q", prefix, after, limit, got, want)
	}
}

func namesOf(docs []csfle.KeyDocument) (names []string) {
	for _, d := range docs {
		names = append(names, d.AltNames...)
	}
	return names
}

func only(docs []csfle.KeyDocument, err error) (csfle.KeyDocument, error) {
	if err == nil && len(docs) != 1 {
		err = fmt.Errorf("got %d keys, want 1", len(docs))
	}
	if err != nil {
		return csfle.KeyDocument{}, err
	}
	return docs[0], nil
}

func race(n int, f func(i int) error) []error {
	results := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			results[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return results
}

func oneWinner(t *testing.T, results []error, losers errs.Kind) (winner int, ok bool) {
	t.Helper()
	won := 0
	for i, err := range results {
		if err == nil {
			winner, won = i, won+1
		} else {
			kind(t, "a loser", err, losers)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d succeeded, want exactly one", won, len(results))
	}
	return winner, won == 1
}
