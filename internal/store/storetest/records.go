package storetest

import (
	"errors"
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// recordsOf is how the suite handles one collection. number and stamp point to
// any counter and any time of a record.
type recordsOf[T any, ID ~string] struct {
	name     string
	of       func(store.Store) store.Records[T, ID]
	make     func(org id.Org, n int) T
	id       func(*T) ID
	org      func(*T) id.Org
	revision func(*T) int64
	number   func(*T) *int64
	stamp    func(*T) *time.Time
}

func recordTests() []subtest {
	var out []subtest
	out = append(out, recordsOf[connection.Connection, id.Connection]{
		"Connections", func(s store.Store) store.Records[connection.Connection, id.Connection] { return s.Connections() }, newConnection,
		func(d *connection.Connection) id.Connection { return d.ID }, func(d *connection.Connection) id.Org { return d.Org },
		func(d *connection.Connection) int64 { return d.Revision }, func(d *connection.Connection) *int64 { return &d.CredentialsGeneration },
		func(d *connection.Connection) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	out = append(out, recordsOf[bucket.Bucket, id.Bucket]{
		"Buckets", func(s store.Store) store.Records[bucket.Bucket, id.Bucket] { return s.Buckets() },
		func(org id.Org, n int) bucket.Bucket { return newBucket(org, "ns_a", n) },
		func(d *bucket.Bucket) id.Bucket { return d.ID }, func(d *bucket.Bucket) id.Org { return d.Org },
		func(d *bucket.Bucket) int64 { return d.Revision }, func(d *bucket.Bucket) *int64 { return &d.Stats.Objects },
		func(d *bucket.Bucket) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	out = append(out, recordsOf[syncing.Sync, id.Sync]{
		"Syncs", func(s store.Store) store.Records[syncing.Sync, id.Sync] { return s.Syncs() }, newSync,
		func(d *syncing.Sync) id.Sync { return d.ID }, func(d *syncing.Sync) id.Org { return d.Org },
		func(d *syncing.Sync) int64 { return d.Revision }, func(d *syncing.Sync) *int64 { return &d.RunCounter },
		func(d *syncing.Sync) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	out = append(out, recordsOf[syncing.Pass, id.Pass]{
		"Passes", func(s store.Store) store.Records[syncing.Pass, id.Pass] { return s.Passes() },
		func(org id.Org, n int) syncing.Pass { return newPass(org, "sync_a", n) },
		func(d *syncing.Pass) id.Pass { return d.ID }, func(d *syncing.Pass) id.Org { return d.Org },
		func(d *syncing.Pass) int64 { return d.Revision }, func(d *syncing.Pass) *int64 { return &d.Known },
		func(d *syncing.Pass) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	out = append(out, recordsOf[syncing.Shard, string]{
		"Shards", func(s store.Store) store.Records[syncing.Shard, string] { return s.Shards() },
		func(org id.Org, n int) syncing.Shard { return newShard(org, "sync_a", id.NewPass(), n) },
		func(d *syncing.Shard) string { return d.ID }, func(d *syncing.Shard) id.Org { return d.Org },
		func(d *syncing.Shard) int64 { return d.Revision }, func(d *syncing.Shard) *int64 { return &d.Applied },
		func(d *syncing.Shard) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	out = append(out, recordsOf[syncing.Run, id.Run]{
		"Runs", func(s store.Store) store.Records[syncing.Run, id.Run] { return s.Runs() },
		func(org id.Org, n int) syncing.Run { return newRun(org, "sync_a", "bkt_a", n) },
		func(d *syncing.Run) id.Run { return d.ID }, func(d *syncing.Run) id.Org { return d.Org },
		func(d *syncing.Run) int64 { return d.Revision }, func(d *syncing.Run) *int64 { return &d.Ledger.Bytes },
		func(d *syncing.Run) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	out = append(out, tokenRecordTests()...)
	out = append(out, sessionRecordTests()...)
	out = append(out, webhookRecordTests()...)
	return append(out, accessRecordTests()...)
}

// accessRecordTests are those of records that have no counter of their own: a
// name stands for it, and numbers are told apart by its length.
func accessRecordTests() []subtest {
	var out []subtest
	out = append(out, recordsOf[access.User, id.User]{
		"Users", func(s store.Store) store.Records[access.User, id.User] { return s.Users() }, newUser,
		func(d *access.User) id.User { return d.ID }, func(d *access.User) id.Org { return d.Org },
		func(d *access.User) int64 { return d.Revision }, nil, func(d *access.User) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	out = append(out, recordsOf[access.Namespace, id.Namespace]{
		"Namespaces", func(s store.Store) store.Records[access.Namespace, id.Namespace] { return s.Namespaces() }, newNamespace,
		func(d *access.Namespace) id.Namespace { return d.ID }, func(d *access.Namespace) id.Org { return d.Org },
		func(d *access.Namespace) int64 { return d.Revision }, nil, func(d *access.Namespace) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	out = append(out, recordsOf[access.APIKey, id.APIKey]{
		"APIKeys", func(s store.Store) store.Records[access.APIKey, id.APIKey] { return s.APIKeys() },
		func(org id.Org, n int) access.APIKey { return newKey(org, "usr_a", n) },
		func(d *access.APIKey) id.APIKey { return d.ID }, func(d *access.APIKey) id.Org { return d.Org },
		func(d *access.APIKey) int64 { return d.Revision }, nil, func(d *access.APIKey) *time.Time { return &d.UpdatedAt },
	}.tests()...)
	return append(out, recordsOf[access.Organization, id.Org]{
		"Organizations", func(s store.Store) store.Records[access.Organization, id.Org] { return s.Organizations() },
		func(org id.Org, n int) access.Organization {
			o := newOrganization(n)
			o.ID = org
			return o
		},
		func(d *access.Organization) id.Org { return d.ID }, func(d *access.Organization) id.Org { return d.ID },
		func(d *access.Organization) int64 { return d.Revision }, nil, func(d *access.Organization) *time.Time { return &d.UpdatedAt },
	}.tests()...)
}

func (c recordsOf[T, ID]) tests() []subtest {
	tests := []subtest{
		{c.name + "/InsertGet", c.insertGet},
		{c.name + "/InsertRefusesTakenID", c.insertTaken},
		{c.name + "/UpdateMovesRevision", c.update},
		{c.name + "/UpdateErrorChangesNothing", c.updateError},
		{c.name + "/UpdateWithoutChangeWritesNothing", c.updateNothing},
		{c.name + "/UpdateRerunsAfterConflict", c.updateReruns},
		{c.name + "/UpdateKeepsIdentity", c.updateIdentity},
		{c.name + "/Missing", c.missing},
		{c.name + "/Times", c.times},
		{c.name + "/EndedContext", c.endedContext},
	}
	if c.number != nil {
		tests = append(tests, subtest{c.name + "/RacingUpdatesLoseNothing", c.updateRace})
	}
	return tests
}

// touch is a change that changes something.
func (c recordsOf[T, ID]) touch(d *T) error {
	*c.stamp(d) = c.stamp(d).Add(time.Second)
	return nil
}

func (c recordsOf[T, ID]) insertGet(t *testing.T, h Harness) {
	org := id.NewOrg()
	in := c.make(org, 1)
	out := ok(c.of(h.Store).Insert(t.Context(), org, in))(t)
	if c.revision(&out) != 1 {
		t.Errorf("an inserted record has revision %d, want 1", c.revision(&out))
	}
	if c.id(&out) != c.id(&in) || c.org(&out) != org {
		t.Errorf("inserted %v of %v, got %v of %v", c.id(&in), org, c.id(&out), c.org(&out))
	}
	got := ok(c.of(h.Store).Get(t.Context(), org, c.id(&in)))(t)
	same(t, "Get after Insert", got, out)
}

func (c recordsOf[T, ID]) insertTaken(t *testing.T, h Harness) {
	org := id.NewOrg()
	d := c.make(org, 1)
	out := ok(c.of(h.Store).Insert(t.Context(), org, d))(t)
	must(t, c.touch(&d))
	_, err := c.of(h.Store).Insert(t.Context(), org, d)
	wantKind(t, "a second Insert", err, errs.AlreadyExists)
	same(t, "the first record", ok(c.of(h.Store).Get(t.Context(), org, c.id(&d)))(t), out)
	_, err = c.of(h.Store).Insert(t.Context(), id.NewOrg(), d)
	wantKind(t, "Insert of a record that names another organization", err, errs.Invalid)
}

func (c recordsOf[T, ID]) update(t *testing.T, h Harness) {
	org := id.NewOrg()
	in := ok(c.of(h.Store).Insert(t.Context(), org, c.make(org, 1)))(t)
	out := ok(c.of(h.Store).Update(t.Context(), org, c.id(&in), c.touch))(t)
	if c.revision(&out) != 2 {
		t.Errorf("revision %d after one update, want 2", c.revision(&out))
	}
	if !c.stamp(&out).Equal(c.stamp(&in).Add(time.Second)) {
		t.Error("the change is not in what Update returned")
	}
	same(t, "Get after Update", ok(c.of(h.Store).Get(t.Context(), org, c.id(&in)))(t), out)
}

func (c recordsOf[T, ID]) updateError(t *testing.T, h Harness) {
	org := id.NewOrg()
	in := ok(c.of(h.Store).Insert(t.Context(), org, c.make(org, 1)))(t)
	_, err := c.of(h.Store).Update(t.Context(), org, c.id(&in), func(d *T) error {
		return errors.Join(c.touch(d), errTest)
	})
	if !errors.Is(err, errTest) {
		t.Errorf("Update returned %v, want the error of its change", err)
	}
	same(t, "the record after a change that failed", ok(c.of(h.Store).Get(t.Context(), org, c.id(&in)))(t), in)
}

func (c recordsOf[T, ID]) updateNothing(t *testing.T, h Harness) {
	org := id.NewOrg()
	in := ok(c.of(h.Store).Insert(t.Context(), org, c.make(org, 1)))(t)
	for range 10 { // maps are written in any order
		out := ok(c.of(h.Store).Update(t.Context(), org, c.id(&in), func(*T) error { return nil }))(t)
		same(t, "Update without a change", out, in)
	}
	same(t, "the record", ok(c.of(h.Store).Get(t.Context(), org, c.id(&in)))(t), in)
}

func (c recordsOf[T, ID]) updateReruns(t *testing.T, h Harness) {
	org := id.NewOrg()
	in := ok(c.of(h.Store).Insert(t.Context(), org, c.make(org, 1)))(t)
	calls := 0
	out := ok(c.of(h.Store).Update(t.Context(), org, c.id(&in), func(d *T) error {
		if calls++; calls == 1 {
			ok(c.of(h.Store).Update(t.Context(), org, c.id(&in), c.touch))(t)
		}
		return c.touch(d)
	}))(t)
	if calls != 2 || c.revision(&out) != 3 || !c.stamp(&out).Equal(c.stamp(&in).Add(2*time.Second)) {
		t.Errorf("after a write in between, change ran %d times, revision is %d, stamp moved by %v; want 2, 3, 2s",
			calls, c.revision(&out), c.stamp(&out).Sub(*c.stamp(&in)))
	}
}

func (c recordsOf[T, ID]) updateIdentity(t *testing.T, h Harness) {
	org := id.NewOrg()
	in := ok(c.of(h.Store).Insert(t.Context(), org, c.make(org, 1)))(t)
	_, err := c.of(h.Store).Update(t.Context(), org, c.id(&in), func(d *T) error {
		*d = c.make(id.NewOrg(), 2)
		return nil
	})
	wantKind(t, "a change of id and organization", err, errs.Invalid)
	same(t, "the record", ok(c.of(h.Store).Get(t.Context(), org, c.id(&in)))(t), in)
}

func (c recordsOf[T, ID]) updateRace(t *testing.T, h Harness) {
	const workers, each = 64, 4
	org := id.NewOrg()
	in := c.make(org, 1)
	*c.number(&in) = 0
	in = ok(c.of(h.Store).Insert(t.Context(), org, in))(t)
	for _, err := range race(workers, func(int) error {
		for range each {
			if _, err := c.of(h.Store).Update(t.Context(), org, c.id(&in), func(d *T) error { *c.number(d)++; return nil }); err != nil {
				return err
			}
		}
		return nil
	}) {
		must(t, err)
	}
	out := ok(c.of(h.Store).Get(t.Context(), org, c.id(&in)))(t)
	if *c.number(&out) != workers*each || c.revision(&out) != 1+workers*each {
		t.Errorf("%d increments gave %d, revision %d", workers*each, *c.number(&out), c.revision(&out))
	}
}

func (c recordsOf[T, ID]) missing(t *testing.T, h Harness) {
	org := id.NewOrg()
	other := c.make(org, 1)
	_, err := c.of(h.Store).Get(t.Context(), org, c.id(&other))
	wantKind(t, "Get", err, errs.NotFound)
	_, err = c.of(h.Store).Update(t.Context(), org, c.id(&other), func(*T) error {
		t.Error("change was called without a record")
		return nil
	})
	wantKind(t, "Update", err, errs.NotFound)
}

func (c recordsOf[T, ID]) times(t *testing.T, h Harness) {
	org := id.NewOrg()
	d := c.make(org, 1)
	at := time.Date(2024, 5, 6, 7, 8, 9, 123_999_999, time.FixedZone("east", 3600))
	*c.stamp(&d) = at
	out := ok(c.of(h.Store).Insert(t.Context(), org, d))(t)
	want := time.Date(2024, 5, 6, 6, 8, 9, 123_000_000, time.UTC)
	if got := *c.stamp(&out); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("%v came back as %v, want %v", at, got, want)
	}
}

func (c recordsOf[T, ID]) endedContext(t *testing.T, h Harness) {
	org := id.NewOrg()
	in := ok(c.of(h.Store).Insert(t.Context(), org, c.make(org, 1)))(t)
	ctx := ended()
	_, err := c.of(h.Store).Get(ctx, org, c.id(&in))
	wantKind(t, "Get", err, errs.Canceled)
	_, err = c.of(h.Store).Update(ctx, org, c.id(&in), c.touch)
	wantKind(t, "Update", err, errs.Canceled)
	if c.name != "Organizations" {
		_, err = c.of(h.Store).Insert(ctx, org, c.make(org, 2))
		wantKind(t, "Insert", err, errs.Canceled)
	}
	same(t, "the record", ok(c.of(h.Store).Get(t.Context(), org, c.id(&in)))(t), in)
}
