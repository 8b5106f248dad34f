// Package service creates, reads and deletes buckets and their objects.
package service

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/sink"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// Service is safe for concurrent use.
type Service struct {
	Store        store.Store
	Destinations map[string]sink.Destination // by the operator's name; "default" is used when none is asked for
	Now          func() time.Time
	Wake         func() // removes what was deleted now; nil where no worker is in this process
}

// DefaultDestination is the one used when a request names none.
const DefaultDestination = "default"

// CreateRequest is what a bucket is made of. Schema and UniqueKey are kept as
// they were sent; the API has validated their form.
type CreateRequest struct {
	Name        string
	Description *string
	Schema      map[string]any
	UniqueKey   map[string]any
	Metadata    map[string]any
	Destination string
	CreatedBy   id.User // on whose behalf; "" is the actor
}

func (r *CreateRequest) check() error {
	f := errs.NewFields("body")
	r.Name = strings.TrimSpace(r.Name)
	n := utf8.RuneCountInString(r.Name)
	if n < 1 || n > 100 || strings.HasPrefix(r.Name, "bkt_") || r.Name == "." || r.Name == ".." ||
		strings.ContainsFunc(r.Name, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		f.Add("invalid_name", "must have 1 to 100 characters, none of them a control character, and not begin with bkt_", "bucket_name")
	}
	if r.Description != nil && utf8.RuneCountInString(*r.Description) > 500 {
		f.Add("string_too_long", "must have at most 500 characters", "description")
	}
	if len(r.Metadata) > 50 {
		f.Add("too_many_keys", "must have at most 50 keys", "metadata")
	}
	return f.Err("bucket.create")
}

// DestinationNames are the operator's names of all that a bucket can pick.
func (s *Service) DestinationNames() []string { return slices.Sorted(maps.Keys(s.Destinations)) }

// Create makes a bucket and its part of the destination.
func (s *Service) Create(ctx context.Context, org id.Org, ns id.Namespace, actor audit.Actor, r CreateRequest) (bucket.Bucket, error) {
	if err := r.check(); err != nil {
		return bucket.Bucket{}, err
	}
	if r.Destination == "" {
		r.Destination = DefaultDestination
	}
	dest, ok := s.Destinations[r.Destination]
	if !ok {
		f := errs.NewFields("body")
		f.Add("unknown_destination", "the operator has defined no destination of this name; there are: "+strings.Join(s.DestinationNames(), ", "), "destination")
		return bucket.Bucket{}, f.Err("bucket.create")
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	b := bucket.Bucket{
		ID: id.NewBucket(), Org: org, Namespace: ns, Name: r.Name, Description: r.Description, Schema: orEmpty(r.Schema),
		UniqueKey: r.UniqueKey, Metadata: orEmpty(r.Metadata), Status: bucket.Active, Destination: r.Destination,
		CreatedAt: now, UpdatedAt: now, CreatedBy: string(r.CreatedBy),
	}
	if b.CreatedBy == "" {
		b.CreatedBy = actor.ID
	}
	part, err := dest.Bucket(ctx, b)
	if err != nil {
		return b, err
	}
	b.Rules = part.Rules()
	b.Outbox.Note(now, actor, audit.BucketCreated, audit.Bucket, string(b.ID), true, map[string]any{"bucket_name": b.Name, "destination": b.Destination})
	created, err := s.Store.Buckets().Insert(ctx, org, b)
	if err != nil {
		_ = part.Destroy(context.WithoutCancel(ctx)) // an empty folder at worst
		if errs.Is(err, errs.AlreadyExists) {
			err = errs.Wrap(err, errs.AlreadyExists, "bucket.create", "there is a bucket of the name "+r.Name+" already")
		}
		return b, err
	}
	return created, nil
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// Get finds a bucket by id or name within a namespace.
func (s *Service) Get(ctx context.Context, org id.Org, ns id.Namespace, idOrName string) (bucket.Bucket, error) {
	if !strings.HasPrefix(idOrName, "bkt_") {
		return s.Store.Buckets().ByName(ctx, org, ns, idOrName)
	}
	b, err := s.Store.Buckets().Get(ctx, org, id.Bucket(idOrName))
	if err == nil && (b.Namespace != ns || b.Status == bucket.Archived) {
		err = errs.New(errs.NotFound, "bucket.get", "there is no bucket "+idOrName+" in this namespace")
	}
	return b, err
}

// Sink opens a bucket's part of its destination.
func (s *Service) Sink(ctx context.Context, b bucket.Bucket) (sink.Sink, error) {
	dest, ok := s.Destinations[b.Destination]
	if !ok {
		return nil, errs.New(errs.Conflict, "bucket.sink", "the destination "+b.Destination+" of bucket "+string(b.ID)+" is no longer defined: the operator must define it again")
	}
	return dest.Bucket(ctx, b)
}

// Delete marks a bucket and its syncs deleted; a worker then removes the
// content and the rows (Remove). It returns the bucket as it was.
func (s *Service) Delete(ctx context.Context, org id.Org, actor audit.Actor, b bucket.Bucket) (bucket.Bucket, error) {
	syncs, err := s.allSyncs(ctx, org, b.ID)
	if err != nil {
		return b, err
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	for _, sy := range syncs {
		_, err := s.Store.Syncs().Update(ctx, org, sy.ID, func(sy *syncing.Sync) error {
			sy.DeletedAt, sy.NextSyncAt, sy.UpdatedAt = &now, nil, now
			return nil
		})
		if err != nil {
			return b, err
		}
	}
	gone, err := s.Store.Buckets().Update(ctx, org, b.ID, func(b *bucket.Bucket) error {
		if b.Status != bucket.Active {
			return errs.New(errs.Conflict, "bucket.delete", "the bucket is being deleted already")
		}
		b.Status, b.UpdatedAt = bucket.Deleting, now
		b.Outbox.Note(now, actor, audit.BucketDeleted, audit.Bucket, string(b.ID), true, map[string]any{"bucket_name": b.Name, "objects": b.Stats.Objects})
		return nil
	})
	if err == nil && s.Wake != nil {
		s.Wake()
	}
	return gone, err
}

func (s *Service) allSyncs(ctx context.Context, org id.Org, b id.Bucket) (all []syncing.Sync, err error) {
	for p := (store.Page{Limit: 1000}); ; {
		list, err := s.Store.Syncs().List(ctx, org, syncing.Filter{Bucket: b}, p)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if list.Next == "" {
			return all, nil
		}
		p.Cursor = list.Next
	}
}

const dropBatch = 5000

// Remove takes away what is left of a deleted bucket: first its files, then its
// rows, then it is ARCHIVED. It may be interrupted and repeated.
func (s *Service) Remove(ctx context.Context, org id.Org, bid id.Bucket) error {
	b, err := s.Store.Buckets().Get(ctx, org, bid)
	if err != nil {
		return err
	}
	part, err := s.Sink(ctx, b)
	if err != nil {
		return err
	}
	if err := part.Destroy(ctx); err != nil {
		return err
	}
	for more := true; more; {
		if more, err = s.Store.Catalogue().Drop(ctx, org, bid, dropBatch); err != nil {
			return err
		}
	}
	_, err = s.Store.Buckets().Update(ctx, org, bid, func(b *bucket.Bucket) error {
		b.Status, b.Stats, b.UpdatedAt = bucket.Archived, bucket.Stats{}, s.Now().UTC().Truncate(time.Millisecond)
		return nil
	})
	return err
}

// Object finds an object that is not removed.
func (s *Service) Object(ctx context.Context, org id.Org, b bucket.Bucket, o id.Object) (bucket.Object, error) {
	obj, err := s.Store.Catalogue().Get(ctx, org, b.ID, o)
	if err == nil && obj.State == bucket.Removed {
		err = errs.New(errs.NotFound, "object.get", "there is no object "+string(o)+" in this bucket")
	}
	return obj, err
}

// Content opens an object's content from an offset on.
func (s *Service) Content(ctx context.Context, b bucket.Bucket, o bucket.Object, off int64) (io.ReadCloser, error) {
	if o.State != bucket.Present {
		return nil, errs.New(errs.NotFound, "object.content", "the object has no content: it is gone at its source")
	}
	part, err := s.Sink(ctx, b)
	if err != nil {
		return nil, err
	}
	return part.Open(ctx, o.Name, off)
}

// DeleteObject removes an object's content here. Its record is kept so that the
// same version does not come back with the next pass; a new version does.
func (s *Service) DeleteObject(ctx context.Context, org id.Org, actor audit.Actor, b bucket.Bucket, o id.Object) error {
	now := s.Now().UTC().Truncate(time.Millisecond)
	obj, err := s.Store.Catalogue().Update(ctx, org, b.ID, o, func(o *bucket.Object) error {
		if o.State == bucket.Removed {
			return errs.New(errs.NotFound, "object.delete", "there is no object "+string(o.ID)+" in this bucket")
		}
		o.State, o.UpdatedAt, o.Revision = bucket.Removed, now, o.NextRevision(now)
		return nil
	})
	if err != nil {
		return err
	}
	part, err := s.Sink(ctx, b)
	if err != nil {
		return err
	}
	if err := part.Remove(ctx, obj.Name); err != nil {
		return err
	}
	if err := s.spareNewer(ctx, org, obj, now); err != nil {
		return err
	}
	told, err := s.inherit(ctx, org, b, obj, now)
	if err != nil {
		return err
	}
	stats, err := s.Store.Catalogue().Stats(ctx, org, b.ID)
	if err != nil {
		return err
	}
	_, err = s.Store.Buckets().Update(ctx, org, b.ID, func(b *bucket.Bucket) error {
		stats.LastAt = b.Stats.LastAt
		b.Stats, b.UpdatedAt = stats, now
		b.Outbox.Note(now, actor, audit.BucketUpdated, audit.Bucket, string(b.ID), true, map[string]any{"object_deleted": string(o)})
		b.Outbox.Raise(now, event.Objects, string(b.ID), map[string]any{"bucket_id": string(b.ID), event.List: told})
		return nil
	})
	return err
}

// spareNewer has a newer version transferred again that a run placed under the
// name of a deleted object before its file was removed.
func (s *Service) spareNewer(ctx context.Context, org id.Org, deleted bucket.Object, now time.Time) error {
	o, err := s.Store.Catalogue().Get(ctx, org, deleted.Bucket, deleted.ID)
	if errs.Is(err, errs.NotFound) || err == nil && o.State != bucket.Present {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Store.DeadLetters().Put(ctx, org, []syncing.DeadLetter{syncing.Again(o, "its file was removed with that of an older version", "", now)})
}

// inherit makes a duplicate of a deleted object the first of its content, as
// the engine does when an original changes or goes, and returns what is to be
// told of both.
func (s *Service) inherit(ctx context.Context, org id.Org, b bucket.Bucket, gone bucket.Object, now time.Time) ([]any, error) {
	told := []any{gone.ToldAlone(event.Deleted)}
	if gone.DuplicateOf != "" || gone.SHA256 == "" {
		return told, nil
	}
	list, err := s.Store.Catalogue().Duplicates(ctx, org, b.ID, gone.SHA256, 1)
	if err != nil || len(list) == 0 {
		return told, err
	}
	heir, err := s.Store.Catalogue().Update(ctx, org, b.ID, list[0].ID, func(o *bucket.Object) error {
		if o.State == bucket.Present && o.SHA256 == gone.SHA256 {
			o.DuplicateOf, o.UpdatedAt, o.Revision = "", now, o.NextRevision(now)
		}
		return nil
	})
	return append(told, heir.ToldAlone(event.Updated)), err
}
