package storetest

import (
	"context"
	"testing"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
)

// uniqueName is a name that is unique in an organization. insert makes a new
// record with it, free makes a record give it back (nil when none can).
type uniqueName struct {
	name   string
	insert func(ctx context.Context, h Harness, org id.Org, name string) (string, error)
	rename func(ctx context.Context, h Harness, org id.Org, record, name string) error
	free   func(ctx context.Context, h Harness, org id.Org, record string) error
}

func uniqueTests() []subtest {
	var out []subtest
	for _, u := range []uniqueName{uniqueConnection, uniqueBucket, uniqueKey, uniqueUser, uniqueNamespace} {
		out = append(out, subtest{u.name + "/Taken", u.taken}, subtest{u.name + "/Race", u.race})
		if u.free != nil {
			out = append(out, subtest{u.name + "/Freed", u.freed})
		}
	}
	return append(out, subtest{"KeyHash", testKeyHash})
}

var uniqueConnection = uniqueName{
	"Connections",
	func(ctx context.Context, h Harness, org id.Org, name string) (string, error) {
		c := newConnection(org, 1)
		c.Name = name
		c, err := h.Store.Connections().Insert(ctx, org, c)
		return string(c.ID), err
	},
	func(ctx context.Context, h Harness, org id.Org, record, name string) error {
		_, err := h.Store.Connections().Update(ctx, org, id.Connection(record), func(c *connection.Connection) error { c.Name = name; return nil })
		return err
	},
	func(ctx context.Context, h Harness, org id.Org, record string) error {
		_, err := h.Store.Connections().Update(ctx, org, id.Connection(record), func(c *connection.Connection) error { c.Status = connection.Archived; return nil })
		return err
	},
}

var uniqueBucket = uniqueName{
	"Buckets",
	func(ctx context.Context, h Harness, org id.Org, name string) (string, error) {
		b := newBucket(org, "ns_a", 1)
		b.Name = name
		b, err := h.Store.Buckets().Insert(ctx, org, b)
		return string(b.ID), err
	},
	func(ctx context.Context, h Harness, org id.Org, record, name string) error {
		_, err := h.Store.Buckets().Update(ctx, org, id.Bucket(record), func(b *bucket.Bucket) error { b.Name = name; return nil })
		return err
	},
	func(ctx context.Context, h Harness, org id.Org, record string) error {
		_, err := h.Store.Buckets().Update(ctx, org, id.Bucket(record), func(b *bucket.Bucket) error { b.Status = bucket.Archived; return nil })
		return err
	},
}

var uniqueKey = uniqueName{
	"APIKeys",
	func(ctx context.Context, h Harness, org id.Org, name string) (string, error) {
		k := newKey(org, "usr_a", 1)
		k.Name = name
		k, err := h.Store.APIKeys().Insert(ctx, org, k)
		return string(k.ID), err
	},
	func(ctx context.Context, h Harness, org id.Org, record, name string) error {
		_, err := h.Store.APIKeys().Update(ctx, org, id.APIKey(record), func(k *access.APIKey) error { k.Name = name; return nil })
		return err
	},
	func(ctx context.Context, h Harness, org id.Org, record string) error {
		_, err := h.Store.APIKeys().Update(ctx, org, id.APIKey(record), func(k *access.APIKey) error { k.Status = access.KeyRevoked; return nil })
		return err
	},
}

var uniqueUser = uniqueName{
	"Users",
	func(ctx context.Context, h Harness, org id.Org, name string) (string, error) {
		u := newUser(org, 1)
		u.Email = name
		u, err := h.Store.Users().Insert(ctx, org, u)
		return string(u.ID), err
	},
	func(ctx context.Context, h Harness, org id.Org, record, name string) error {
		_, err := h.Store.Users().Update(ctx, org, id.User(record), func(u *access.User) error { u.Email = name; return nil })
		return err
	},
	nil,
}

var uniqueNamespace = uniqueName{
	"Namespaces",
	func(ctx context.Context, h Harness, org id.Org, name string) (string, error) {
		n := newNamespace(org, 1)
		n.Name = name
		n, err := h.Store.Namespaces().Insert(ctx, org, n)
		return string(n.ID), err
	},
	func(ctx context.Context, h Harness, org id.Org, record, name string) error {
		_, err := h.Store.Namespaces().Update(ctx, org, id.Namespace(record), func(n *access.Namespace) error { n.Name = name; return nil })
		return err
	},
	nil,
}

func (u uniqueName) taken(t *testing.T, h Harness) {
	ctx, org := t.Context(), id.NewOrg()
	ok(u.insert(ctx, h, org, "name"))(t)
	_, err := u.insert(ctx, h, org, "name")
	wantKind(t, "a second record of the name", err, errs.AlreadyExists)
	other := ok(u.insert(ctx, h, org, "NAME"))(t) // another name: case counts
	wantKind(t, "renaming to a taken name", u.rename(ctx, h, org, other, "name"), errs.AlreadyExists)
	ok(u.insert(ctx, h, id.NewOrg(), "name"))(t) // another organization has names of its own
}

func (u uniqueName) race(t *testing.T, h Harness) {
	ctx, org := t.Context(), id.NewOrg()
	if n := winners(t, race(32, func(int) error { _, err := u.insert(ctx, h, org, "name"); return err }), errs.AlreadyExists); n != 1 {
		t.Errorf("%d of 32 racing creators won, want 1", n)
	}
}

func (u uniqueName) freed(t *testing.T, h Harness) {
	ctx, org := t.Context(), id.NewOrg()
	for range 3 { // any number of freed records may have the name
		record := ok(u.insert(ctx, h, org, "name"))(t)
		must(t, u.free(ctx, h, org, record))
	}
	ok(u.insert(ctx, h, org, "name"))(t)
	_, err := u.insert(ctx, h, org, "name")
	wantKind(t, "a second live record of the name", err, errs.AlreadyExists)
}

func testKeyHash(t *testing.T, h Harness) {
	a, b := newKey(id.NewOrg(), "usr_a", 1), newKey(id.NewOrg(), "usr_b", 1)
	b.Hash = a.Hash
	ok(h.Store.APIKeys().Insert(t.Context(), a.Org, a))(t)
	_, err := h.Store.APIKeys().Insert(t.Context(), b.Org, b)
	wantKind(t, "a second key of the hash", err, errs.AlreadyExists)
}
