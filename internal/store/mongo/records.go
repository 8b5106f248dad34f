package mongo

import (
	"context"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/store"
)

type organizations struct {
	*collection[access.Organization, id.Org]
}

func newOrganizations(s *Store) organizations {
	return organizations{define(s, collection[access.Organization, id.Org]{
		name: "organizations", noun: "organization", org: "_id",
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
		name: "users", noun: "user",
		head: func(d *access.User) head[id.User] {
			return head[id.User]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
	})}
}

// ByEmail implements store.Users.
func (c users) ByEmail(ctx context.Context, org id.Org, email string) (access.User, error) {
	return c.one(ctx, "by_email", find{filter: append(ofOrg(org), bson.E{Key: "email", Value: email})})
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
		name: "namespaces", noun: "namespace",
		head: func(d *access.Namespace) head[id.Namespace] {
			return head[id.Namespace]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
	})}
}

// ByName implements store.Namespaces.
func (c namespaces) ByName(ctx context.Context, org id.Org, name string) (access.Namespace, error) {
	return c.one(ctx, "by_name", find{filter: append(ofOrg(org), bson.E{Key: "namespace_name", Value: name})})
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
		name: "api_keys", noun: "API key",
		head: func(d *access.APIKey) head[id.APIKey] {
			return head[id.APIKey]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		derive: func(d *access.APIKey) bson.D {
			return bson.D{{Key: "unique", Value: liveName(d.Name, d.Status != access.KeyRevoked, string(d.ID))}}
		},
	})}
}

// List implements store.APIKeys. No user selects the keys of all.
func (c apiKeys) List(ctx context.Context, org id.Org, user id.User, p store.Page) (store.List[access.APIKey], error) {
	filter := ofOrg(org)
	if user != "" {
		filter = append(filter, bson.E{Key: "user_id", Value: string(user)})
	}
	return c.list(ctx, org, filter, p, string(user))
}

type buckets struct {
	*collection[bucket.Bucket, id.Bucket]
}

func newBuckets(s *Store) buckets {
	return buckets{define(s, collection[bucket.Bucket, id.Bucket]{
		name: "buckets", noun: "bucket",
		head: func(d *bucket.Bucket) head[id.Bucket] {
			return head[id.Bucket]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		derive: func(d *bucket.Bucket) bson.D {
			text := string(d.ID) + "\n" + d.Name
			if d.Description != nil {
				text += "\n" + *d.Description
			}
			return bson.D{{Key: "unique", Value: liveName(d.Name, d.Status != bucket.Archived, string(d.ID))}, {Key: "text", Value: text}, {Key: "folded", Value: fold(text)}}
		},
	})}
}

// ByName implements store.Buckets. An archived bucket has no name to be found by.
func (c buckets) ByName(ctx context.Context, org id.Org, ns id.Namespace, name string) (bucket.Bucket, error) {
	return c.one(ctx, "by_name", find{filter: append(ofOrg(org),
		bson.E{Key: "namespace_id", Value: string(ns)}, bson.E{Key: "derived.unique", Value: liveName(name, true, "")})})
}

// List implements store.Buckets.
func (c buckets) List(ctx context.Context, org id.Org, f bucket.ListFilter, p store.Page) (store.List[bucket.Bucket], error) {
	return c.list(ctx, org, bucketFilter(org, f), p, string(f.Namespace))
}

// Count implements store.Buckets.
func (c buckets) Count(ctx context.Context, org id.Org, f bucket.ListFilter) (int64, error) {
	return c.s.count(ctx, c.op("count"), c.name, bucketFilter(org, f))
}

func bucketFilter(org id.Org, f bucket.ListFilter) bson.D {
	out := ofOrg(org)
	if f.Namespace != "" {
		out = append(out, bson.E{Key: "namespace_id", Value: string(f.Namespace)})
	}
	if f.ID != "" {
		out = also(out, byID(string(f.ID)))
	}
	if f.Name != "" {
		out = append(out, bson.E{Key: "name", Value: f.Name})
	}
	switch {
	case f.Search == "":
	case f.CaseSensitive:
		out = append(out, contains("derived.text", f.Search))
	default:
		out = append(out, contains("derived.folded", fold(f.Search)))
	}
	return out
}

// contains is a condition that a text holds another. It has no options, of which
// servers think differently: what is compared without case is stored folded.
func contains(field, text string) bson.E {
	return bson.E{Key: field, Value: bson.Regex{Pattern: regexp.QuoteMeta(text)}}
}

// begins is a condition that a text begins with another. Servers turn it into a
// range of an index.
func begins(field, text string) bson.E {
	return bson.E{Key: field, Value: bson.Regex{Pattern: "^" + regexp.QuoteMeta(text)}}
}

// fold is the form in which text is searched without case.
func fold(s string) string { return strings.ToLower(s) }

func ofOrg(org id.Org) bson.D { return bson.D{{Key: "internal_id", Value: string(org)}} }
