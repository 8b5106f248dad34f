package surface

import (
	"context"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/bucket"
	bucketservice "mooring/internal/bucket/service"
	"mooring/internal/connection"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/syncing"
	syncingservice "mooring/internal/syncing/service"
)

// Reach finds what a key may do something to. What its scopes do not reach is
// not found, like what is another organization's.
type Reach struct {
	Who         accessservice.Principal
	Need        access.Permission
	Connections *connectionservice.Service
	Buckets     *bucketservice.Service
	Syncs       *syncingservice.Service
}

// Require refuses a key that lacks a permission.
func Require(who accessservice.Principal, need access.Permission) error {
	if who.Allows(need) {
		return nil
	}
	return errs.New(errs.PermissionDenied, "surface.auth", "this needs a key with the permission "+string(need))
}

// Covers refuses what is done to a whole, such as creating in it, by a key whose
// scopes do not cover that whole.
func (r Reach) Covers(whole access.Resource) error {
	if r.Who.Reaches(r.Need, whole) {
		return nil
	}
	return errs.New(errs.PermissionDenied, "surface.scope", "the scopes of this key do not cover this")
}

// Missing is the answer for what is not there and for what a key's scopes do
// not reach.
func Missing(what, name string) error {
	return errs.New(errs.NotFound, "surface", "there is no "+what+" "+Clip(name, 120))
}

// MissingIf is Missing for what was not found, and err for all else.
func MissingIf(err error, what, name string) error {
	if errs.Is(err, errs.NotFound) {
		return Missing(what, name)
	}
	return err
}

// Connection finds one by id or name.
func (r Reach) Connection(ctx context.Context, idOrName string) (connection.Connection, error) {
	found, err := r.Connections.Get(ctx, r.Who.Org, idOrName)
	if err == nil && !r.Who.Reaches(r.Need, access.OfConnection(r.Who.Org, found.ID)) {
		return connection.Connection{}, Missing("connection", idOrName)
	}
	return found, err
}

// Bucket finds one of a namespace by id or name.
func (r Reach) Bucket(ctx context.Context, ns id.Namespace, idOrName string) (bucket.Bucket, error) {
	b, err := r.Buckets.Get(ctx, r.Who.Org, ns, idOrName)
	if err != nil {
		return b, MissingIf(err, "bucket", idOrName)
	}
	if !r.Who.Reaches(r.Need, access.OfBucket(r.Who.Org, b.Namespace, b.ID)) {
		return bucket.Bucket{}, Missing("bucket", idOrName)
	}
	return b, nil
}

// Live refuses a bucket that is being deleted.
func Live(b bucket.Bucket) error {
	if b.Status == bucket.Active {
		return nil
	}
	return errs.New(errs.Conflict, "surface.bucket", "the bucket is being deleted: nothing in it can be changed any more")
}

// Sync finds one of a bucket, which was found before.
func (r Reach) Sync(ctx context.Context, b id.Bucket, s string) (syncing.Sync, error) {
	sy, err := r.Syncs.Get(ctx, r.Who.Org, b, id.Sync(s))
	return sy, MissingIf(err, "sync", s)
}

// Archive refuses a key that may not archive a connection, whatever the way in
// which it is asked for.
func Archive(who accessservice.Principal, conn id.Connection) error {
	if err := Require(who, access.Delete); err != nil {
		return err
	}
	if !who.Reaches(access.Delete, access.OfConnection(who.Org, conn)) {
		return errs.New(errs.PermissionDenied, "surface.scope", "the scopes of this key do not cover archiving this connection")
	}
	return nil
}
