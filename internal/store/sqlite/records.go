package sqlite

import (
	"context"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
)

type organizations struct {
	*collection[access.Organization, id.Org]
}

func newOrganizations(s *Store) organizations {
	return organizations{define(s, collection[access.Organization, id.Org]{
		table: "organizations", noun: "organization",
		head: func(d *access.Organization) head[id.Org] {
			return head[id.Org]{&d.ID, &d.ID, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
	})}
}

type users struct {
	*collection[access.User, id.User]
}

func newUsers(s *Store) users {
	return users{define(s, collection[access.User, id.User]{
		table: "users", noun: "user",
		head: func(d *access.User) head[id.User] {
			return head[id.User]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[access.User]{{"email", func(d *access.User) any { return d.Email }}},
	})}
}

// ByEmail implements store.Users.
func (c users) ByEmail(ctx context.Context, org id.Org, email string) (access.User, error) {
	return c.one(ctx, "by_email", " WHERE org = ? AND email = ?", string(org), email)
}

// List implements store.Users.
func (c users) List(ctx context.Context, org id.Org, p store.Page) (store.List[access.User], error) {
	return c.list(ctx, org, ofOrg(org), p)
}

type namespaces struct {
	*collection[access.Namespace, id.Namespace]
}

func newNamespaces(s *Store) namespaces {
	return namespaces{define(s, collection[access.Namespace, id.Namespace]{
		table: "namespaces", noun: "namespace",
		head: func(d *access.Namespace) head[id.Namespace] {
			return head[id.Namespace]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[access.Namespace]{{"name", func(d *access.Namespace) any { return d.Name }}},
	})}
}

// ByName implements store.Namespaces.
func (c namespaces) ByName(ctx context.Context, org id.Org, name string) (access.Namespace, error) {
	return c.one(ctx, "by_name", " WHERE org = ? AND name = ?", string(org), name)
}

// List implements store.Namespaces.
func (c namespaces) List(ctx context.Context, org id.Org, p store.Page) (store.List[access.Namespace], error) {
	return c.list(ctx, org, ofOrg(org), p)
}

type apiKeys struct {
	*collection[access.APIKey, id.APIKey]
}

func newAPIKeys(s *Store) apiKeys {
	return apiKeys{define(s, collection[access.APIKey, id.APIKey]{
		table: "api_keys", noun: "API key", rows: &kept[access.APIKey]{},
		head: func(d *access.APIKey) head[id.APIKey] {
			return head[id.APIKey]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[access.APIKey]{
			{"user", func(d *access.APIKey) any { return string(d.User) }},
			{"live_name", func(d *access.APIKey) any { return liveName(d.Name, d.Status != access.KeyRevoked) }},
			{"hash", func(d *access.APIKey) any { return d.Hash }},
		},
	})}
}

// byHash finds the key that a request comes with.
func (c apiKeys) byHash(ctx context.Context, hash string) (access.APIKey, error) {
	return c.rows.of(hash, func() (access.APIKey, error) { return c.one(ctx, "by_hash", " WHERE hash = ?", hash) })
}

// List implements store.APIKeys. No user selects the keys of all.
func (c apiKeys) List(ctx context.Context, org id.Org, user id.User, p store.Page) (store.List[access.APIKey], error) {
	w := ofOrg(org)
	if user != "" {
		w.add("user = ?", string(user))
	}
	return c.list(ctx, org, w, p, string(user))
}

type buckets struct {
	*collection[bucket.Bucket, id.Bucket]
}

func newBuckets(s *Store) buckets {
	return buckets{define(s, collection[bucket.Bucket, id.Bucket]{
		table: "buckets", noun: "bucket",
		head: func(d *bucket.Bucket) head[id.Bucket] {
			return head[id.Bucket]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[bucket.Bucket]{
			{"namespace", func(d *bucket.Bucket) any { return string(d.Namespace) }},
			{"name", func(d *bucket.Bucket) any { return d.Name }},
			{"live_name", func(d *bucket.Bucket) any { return liveName(d.Name, d.Status != bucket.Archived) }},
			{"description", func(d *bucket.Bucket) any {
				if d.Description == nil {
					return ""
				}
				return *d.Description
			}},
			{"status", func(d *bucket.Bucket) any { return d.Status }},
		},
	})}
}

// ByName implements store.Buckets. An archived bucket has no name to be found by.
func (c buckets) ByName(ctx context.Context, org id.Org, ns id.Namespace, name string) (bucket.Bucket, error) {
	return c.one(ctx, "by_name", " WHERE org = ? AND namespace = ? AND live_name = ?", string(org), string(ns), name)
}

// List implements store.Buckets.
func (c buckets) List(ctx context.Context, org id.Org, f bucket.ListFilter, p store.Page) (store.List[bucket.Bucket], error) {
	return c.list(ctx, org, bucketConditions(org, f), p, string(f.Namespace))
}

// Count implements store.Buckets.
func (c buckets) Count(ctx context.Context, org id.Org, f bucket.ListFilter) (int64, error) {
	return c.count(ctx, bucketConditions(org, f))
}

func bucketConditions(org id.Org, f bucket.ListFilter) *conditions {
	w := ofOrg(org)
	if f.Namespace != "" {
		w.add("namespace = ?", string(f.Namespace))
	}
	if f.ID != "" {
		w.add("id = ?", string(f.ID))
	}
	if f.Name != "" {
		w.add("name = ?", f.Name)
	}
	if f.Search != "" {
		part, args := contains([]string{"id", "name", "description"}, f.Search, f.CaseSensitive)
		w.add(part, args...)
	}
	return w
}

func ofOrg(org id.Org) *conditions {
	w := &conditions{}
	w.add("org = ?", string(org))
	return w
}

// notFound is NotFound for rows that are no records.
func notFound(op, noun string) error { return errs.New(errs.NotFound, op, "no such "+noun) }
