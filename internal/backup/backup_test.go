package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/backup"
	"mooring/internal/errs"
	"mooring/internal/store/raw"
)

// memory is a store in memory. reading, when set, is called ahead of each
// document that is read; putting ahead of each part that is put.
type memory struct {
	kind    string
	frozen  bool
	docs    map[raw.Collection][]bson.Raw
	reading func(c raw.Collection, i int)
	putting func(c raw.Collection) error
}

func newMemory(t *testing.T) *memory {
	t.Helper()
	m := &memory{kind: "sqlite", docs: map[raw.Collection][]bson.Raw{}}
	check, err := csfle.NewMasterKeyCheck(t.Context(), csfle.GenerateLocalMasterKey())
	if err != nil {
		t.Fatal(err)
	}
	m.add(raw.Meta, raw.Fact{Name: "master_key_check", Value: document(check)})
	return m
}

func document(v any) bson.Raw {
	b, err := bson.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func (m *memory) add(c raw.Collection, v any) { m.docs[c] = append(m.docs[c], document(v)) }

func (m *memory) Kind() string { return m.kind }
func (m *memory) Schema() int  { return 1 }
func (m *memory) Frozen() bool { return m.frozen }

func (m *memory) Each(_ context.Context, c raw.Collection, visit func(bson.Raw) error) error {
	for i := 0; i < len(m.docs[c]); i++ {
		if m.reading != nil {
			m.reading(c, i)
		}
		if err := visit(slices.Clone(m.docs[c][i])); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Put(_ context.Context, c raw.Collection, docs []bson.Raw) error {
	if m.putting != nil {
		if err := m.putting(c); err != nil {
			return err
		}
	}
	for _, d := range docs {
		m.docs[c] = append(m.docs[c], slices.Clone(d))
	}
	return nil
}

func (m *memory) Erase(_ context.Context, c raw.Collection) error {
	delete(m.docs, c)
	return nil
}

// through backs a store up and restores it.
func through(t *testing.T, from *memory) *memory {
	t.Helper()
	archive := write(t, from)
	to := &memory{kind: from.kind, docs: map[raw.Collection][]bson.Raw{}}
	c, err := backup.Verify(t.Context(), bytes.NewReader(archive), nil)
	if err == nil {
		err = backup.Restore(t.Context(), bytes.NewReader(archive), c, to, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func write(t *testing.T, from *memory) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := backup.Write(t.Context(), from, &out, "test", time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEverythingComesBack(t *testing.T) {
	from := newMemory(t)
	from.frozen = true
	for i := range 1200 {
		from.add(raw.Objects, bson.D{{Key: "_id", Value: fmt.Sprint("obj_", i)}, {Key: "blob", Value: bytes.Repeat([]byte{byte(i)}, i)}})
	}
	from.add(raw.Audit, bson.D{{Key: "_id", Value: "aud_1"}, {Key: "internal_id", Value: "int_a"}, {Key: "sequence", Value: int64(1)}})
	to := through(t, from)
	for _, c := range raw.Collections {
		if !slices.EqualFunc(from.docs[c], to.docs[c], func(a, b bson.Raw) bool { return bytes.Equal(a, b) }) {
			t.Errorf("%s: %d documents became %d", c, len(from.docs[c]), len(to.docs[c]))
		}
	}
}

func TestAnEmptyStoreIsNotBackedUp(t *testing.T) {
	_, err := backup.Write(t.Context(), &memory{}, &bytes.Buffer{}, "test", time.Now(), nil)
	if !errs.Is(err, errs.Conflict) {
		t.Errorf("got %v", err)
	}
}

// A connection hands its name to another one while both are read.
func TestANameThatMovesWhileItIsRead(t *testing.T) {
	from := newMemory(t)
	conn := func(i, name string) bson.D {
		return bson.D{{Key: "_id", Value: i}, {Key: "internal_id", Value: "int_a"}, {Key: "name", Value: name}, {Key: "status", Value: "ACTIVE"}}
	}
	from.add(raw.Connections, conn("conn_a", "name"))
	from.add(raw.Connections, conn("conn_b", "other"))
	moved := false
	from.reading = func(c raw.Collection, i int) {
		if c == raw.Connections && i == 1 && !moved {
			moved = true
			from.docs[c][0], from.docs[c][1] = document(conn("conn_a", "old name")), document(conn("conn_b", "name"))
		}
	}
	got := through(t, from).docs[raw.Connections]
	if len(got) != 2 || got[0].Lookup("name").StringValue() != "old name" || got[1].Lookup("name").StringValue() != "name" {
		t.Errorf("got %v", got)
	}
}

// What is numbered after the trail was read has its number given again.
func TestTheTrailEndsWithWhatWasRead(t *testing.T) {
	from := newMemory(t)
	entry := func(n int64) bson.D {
		return bson.D{{Key: "_id", Value: fmt.Sprint("aud_", n)}, {Key: "internal_id", Value: "int_a"}, {Key: "sequence", Value: n}}
	}
	from.add(raw.Audit, entry(1))
	from.add(raw.Audit, entry(2))
	from.reading = func(c raw.Collection, _ int) {
		if c == raw.Sequences {
			from.docs[c][0] = document(raw.Sequence{Org: "int_a", Name: "audit", Last: 5})
		}
	}
	from.add(raw.Sequences, raw.Sequence{Org: "int_a", Name: "audit", Last: 2})
	from.add(raw.Sequences, raw.Sequence{Org: "int_b", Name: "audit", Last: 1}) // whose first entry came later
	from.add(raw.Sequences, raw.Sequence{Org: "int_a", Name: "events", Last: 9})
	var got []raw.Sequence
	for _, d := range through(t, from).docs[raw.Sequences] {
		var q raw.Sequence
		if err := bson.Unmarshal(d, &q); err != nil {
			t.Fatal(err)
		}
		got = append(got, q)
	}
	if want := []raw.Sequence{{Org: "int_a", Name: "audit", Last: 2}, {Org: "int_a", Name: "events", Last: 9}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A page record whose predecessor was missed can't be applied; those in turn,
// and those that are applied, stay.
func TestPagesOutOfTurnAreLeftOut(t *testing.T) {
	from := newMemory(t)
	page := func(shard string, seq int64) {
		from.add(raw.Pages, bson.D{{Key: "_id", Value: fmt.Sprintf("pass/%s/%d", shard, seq)}, {Key: "pass_id", Value: "pass"}, {Key: "shard", Value: shard}, {Key: "seq", Value: seq}})
	}
	for _, seq := range []int64{3, 4, 5, 7, 8} { // 3 is applied, 6 was missed
		page("000", seq)
	}
	page("gone", 2)
	from.add(raw.Shards, bson.D{{Key: "_id", Value: "pass/000"}, {Key: "applied", Value: int64(3)}})
	var got []int64
	for _, d := range through(t, from).docs[raw.Pages] {
		got = append(got, d.Lookup("seq").Int64())
	}
	if !slices.Equal(got, []int64{3, 4, 5, 2}) {
		t.Errorf("the pages %v are left", got)
	}
}

func TestWaitingEventsNeedAStoreOfTheSameKind(t *testing.T) {
	from := newMemory(t)
	from.kind = "mongodb"
	from.add(raw.Runs, bson.D{{Key: "_id", Value: "run"}, {Key: "outbox", Value: bson.D{{Key: "events", Value: bson.A{bson.D{}}}}}})
	archive := write(t, from)
	c, err := backup.Verify(t.Context(), bytes.NewReader(archive), nil)
	if err != nil || c.Waiting != 1 {
		t.Fatalf("%d wait, %v", c.Waiting, err)
	}
	to := &memory{kind: "sqlite", docs: map[raw.Collection][]bson.Raw{}}
	if err := backup.Restore(t.Context(), bytes.NewReader(archive), c, to, nil); !errs.Is(err, errs.Conflict) || len(to.docs) > 0 {
		t.Errorf("%v, %v", err, to.docs)
	}
	through(t, from)
}

func TestANewerSchemaIsRefused(t *testing.T) {
	c, err := backup.Verify(t.Context(), bytes.NewReader(write(t, newMemory(t))), nil)
	if err != nil {
		t.Fatal(err)
	}
	for known, ok := range map[int]bool{0: false, 1: true, 2: true} {
		if err := c.CheckSchema(map[string]int{"sqlite": known}); (err == nil) != ok || err != nil && !errs.Is(err, errs.Conflict) {
			t.Errorf("a program that knows %d: %v", known, err)
		}
	}
	if err := c.CheckSchema(map[string]int{"mongodb": 9}); !errs.Is(err, errs.Conflict) {
		t.Errorf("a store that is not known: %v", err)
	}
}

// A copy that breaks off is made again, wherever it broke off, and what an
// earlier one left of a source that has changed since is gone.
func TestACopyIsBegunAgain(t *testing.T) {
	from := newMemory(t)
	for i := range 1800 {
		from.add(raw.Objects, bson.D{{Key: "_id", Value: fmt.Sprint("obj_", i)}})
	}
	from.add(raw.Names, raw.Name{Org: "int_a", Bucket: "bkt_a", Source: "s", Name: "n", Folded: "n"})
	broken := errors.New("killed")
	to := &memory{kind: "mongodb", docs: map[raw.Collection][]bson.Raw{}}
	to.add(raw.Objects, bson.D{{Key: "_id", Value: "of before"}})
	for left := 0; ; left++ {
		parts := left
		to.putting = func(raw.Collection) error {
			if parts == 0 {
				return broken
			}
			parts--
			return nil
		}
		err := backup.Copy(t.Context(), from, to, nil)
		if err == nil {
			if left < 3 {
				t.Errorf("the copy took %d parts", left)
			}
			break
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	if len(to.docs[raw.Objects]) != 1800 || len(to.docs[raw.Names]) != 1 || len(to.docs[raw.Meta]) != 1 {
		t.Errorf("copied %d objects", len(to.docs[raw.Objects]))
	}
	to.docs[raw.Objects][7] = document(bson.D{{Key: "_id", Value: "obj_x"}})
	to.putting = nil
	if err := backup.Copy(t.Context(), from, to, nil); err != nil || to.docs[raw.Objects][7].Lookup("_id").StringValue() != "obj_7" {
		t.Errorf("a difference is left, %v", err)
	}
}

// What a store does not give back as it was put is found.
func TestACopyIsCompared(t *testing.T) {
	from := newMemory(t)
	from.add(raw.Objects, bson.D{{Key: "_id", Value: "obj_a"}})
	to := &memory{kind: "mongodb", docs: map[raw.Collection][]bson.Raw{}}
	to.reading = func(c raw.Collection, i int) {
		if c == raw.Objects {
			to.docs[c][i] = document(bson.D{{Key: "_id", Value: "obj_A"}})
		}
	}
	if err := backup.Copy(t.Context(), from, to, nil); !errs.Is(err, errs.Corrupt) {
		t.Errorf("got %v", err)
	}
}
