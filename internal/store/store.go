// Package store is the contract of the embedded and the shared store: small
// role interfaces over one document model (BSON, the same bytes in both). The
// implementations are sqlite and mongo; storetest is the suite both pass.
//
// Every call takes the organization as a typed argument that leads the index it
// uses: a record of another organization is errs.NotFound. What crosses
// organizations is in the package system, which few may import.
//
// Rules that hold for every role:
//   - Errors are of errs kinds: NotFound, AlreadyExists (a unique index refused),
//     Conflict (the state does not allow it), Canceled, Unavailable (a full or
//     failing disk, a lost server), Corrupt.
//   - Documents are values: what is returned may be changed by the caller.
//   - Times come back in UTC, cut to milliseconds.
//   - Insert sets Revision 1; Update moves it. Both move what waits in the
//     document's outbox to the audit trail and the events (see outbox).
//   - Update is compare-and-swap: it reads, calls change, and writes if nobody
//     wrote in between, else reads and calls change again. change must have no
//     effects but on its argument; an error of it ends the update unchanged and
//     is returned as it is. A change that leaves the document equal writes nothing.
//   - A write that has returned survives the death of the process and of power.
//   - Everything is safe for concurrent use.
package store

import (
	"context"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/syncing"
	"mooring/internal/webhook"
)

// Store gives the roles.
type Store interface {
	Organizations() Organizations
	Users() Users
	Namespaces() Namespaces
	APIKeys() APIKeys
	Sessions() Sessions
	Connections() Connections
	Usage() Usage
	Tokens() Tokens
	Consents() Consents
	Buckets() Buckets
	Catalogue() Catalogue
	Tree() Tree
	Syncs() Syncs
	Passes() Passes
	Shards() Shards
	Runs() Runs
	Pages() Pages
	Absences() Absences
	DeadLetters() DeadLetters
	Audit() Audit
	Events() Events
	Webhooks() Webhooks
	Deliveries() Deliveries
	Leases() Leases
	KeyVault() csfle.KeyVault
	// Ping reports whether the store can be read and written.
	Ping(ctx context.Context) error
	Close() error
}

// Page asks for a part of a list. Cursor, when set, stands for the position
// after the last item of the page before, and Offset is ignored.
type Page struct {
	Limit  int // 1..1000; 0 is 10
	Offset int
	Cursor string // opaque; a foreign or damaged one is errs.Invalid
}

// List is a page of results, in the order of the list, with the cursor of the
// page after it ("" on the last).
type List[T any] struct {
	Items []T
	Next  string
}

// Records is what every collection of documents of an organization offers.
type Records[T any, ID ~string] interface {
	Insert(ctx context.Context, org id.Org, doc T) (T, error)
	Get(ctx context.Context, org id.Org, id ID) (T, error)
	Update(ctx context.Context, org id.Org, id ID, change func(*T) error) (T, error)
}

// Organizations are reached by their own id.
type Organizations interface {
	Records[access.Organization, id.Org]
}

// Users of an organization. Email is unique within it.
type Users interface {
	Records[access.User, id.User]
	ByEmail(ctx context.Context, org id.Org, email string) (access.User, error)
	List(ctx context.Context, org id.Org, p Page) (List[access.User], error)
}

// Namespaces of an organization. Name is unique within it.
type Namespaces interface {
	Records[access.Namespace, id.Namespace]
	ByName(ctx context.Context, org id.Org, name string) (access.Namespace, error)
	List(ctx context.Context, org id.Org, p Page) (List[access.Namespace], error)
}

// APIKeys of an organization. (User, Name) is unique among those not revoked.
type APIKeys interface {
	Records[access.APIKey, id.APIKey]
	List(ctx context.Context, org id.Org, user id.User, p Page) (List[access.APIKey], error)
}

// Sessions of the dashboard, newest first, until they expire.
type Sessions interface {
	Records[access.Session, id.Session]
	List(ctx context.Context, org id.Org, p Page) (List[access.Session], error)
	// Sweep removes those that expire at now or before.
	Sweep(ctx context.Context, org id.Org, now time.Time) error
}

// Connections of an organization, newest first by (created_at, id). Name is
// unique among those not archived.
type Connections interface {
	Records[connection.Connection, id.Connection]
	// ByName finds the connection that is not archived, else the archived one
	// of that name that was created last.
	ByName(ctx context.Context, org id.Org, name string) (connection.Connection, error)
	List(ctx context.Context, org id.Org, f connection.Filter, p Page) (List[connection.Connection], error)
	Count(ctx context.Context, org id.Org, f connection.Filter) (int64, error)
	// Touch moves last_used_at without a revision; it may be held back for a minute.
	Touch(ctx context.Context, org id.Org, id id.Connection) error
	// Beat keeps what an attempt leaves that changes nothing else, without a
	// revision, if the record still has the revision given, else it reports
	// false. An Update that read the record before is tried again.
	Beat(ctx context.Context, org id.Org, id id.Connection, revision int64, b connection.Beat) (kept bool, err error)
}

// Usage is what connections did, by day.
type Usage interface {
	// Add adds parts, each to the connection and day that it names; one that
	// holds a run counted before adds nothing.
	Add(ctx context.Context, org id.Org, parts []connection.Usage) error
	// List returns the days of a connection from the first to the last day, both
	// included, that have any, in order.
	List(ctx context.Context, org id.Org, conn id.Connection, first, last string) ([]connection.Usage, error)
	// Prune removes the days before one.
	Prune(ctx context.Context, org id.Org, before string) error
}

// Tokens are what connections' credentials were exchanged for, one document a
// connection. They are not part of the connection, whose revision stays.
type Tokens interface {
	Records[connection.Tokens, id.Connection]
	Remove(ctx context.Context, org id.Org, conn id.Connection) error // a missing one is no error
	// Sweep removes those of archived connections.
	Sweep(ctx context.Context, org id.Org) error
}

// Consents are attempts to connect by asking a user, until they expire.
type Consents interface {
	Records[connection.Consent, string]
	List(ctx context.Context, org id.Org, p Page) (List[connection.Consent], error) // newest first
	// Sweep removes those that expire at now or before.
	Sweep(ctx context.Context, org id.Org, now time.Time) error
}

// Buckets of an organization, newest first. (Namespace, Name) is unique among
// those not archived.
type Buckets interface {
	Records[bucket.Bucket, id.Bucket]
	ByName(ctx context.Context, org id.Org, ns id.Namespace, name string) (bucket.Bucket, error)
	List(ctx context.Context, org id.Org, f bucket.ListFilter, p Page) (List[bucket.Bucket], error)
	Count(ctx context.Context, org id.Org, f bucket.ListFilter) (int64, error)
}

// Catalogue holds the objects of buckets.
type Catalogue interface {
	// Scan returns up to limit entries of a connection in a bucket whose source
	// id lies after `after` and, unless to is "", before `to`, in order of raw
	// bytes, whatever their state. after "" starts at the first.
	Scan(ctx context.Context, org id.Org, b id.Bucket, c id.Connection, after, to key.Key, limit int) ([]bucket.Entry, error)
	// Lookup returns those of the ids that exist.
	Lookup(ctx context.Context, org id.Org, b id.Bucket, ids []id.Object) (map[id.Object]bucket.Object, error)
	// ByContent returns, for each hash that a present object of the bucket has,
	// the id of the one among them that is not itself a duplicate.
	ByContent(ctx context.Context, org id.Org, b id.Bucket, sha256 []string) (map[string]id.Object, error)
	// Duplicates returns up to limit present objects of a content that are marked
	// as duplicates, oldest first.
	Duplicates(ctx context.Context, org id.Org, b id.Bucket, sha256 string, limit int) ([]bucket.Object, error)
	// InFolder returns up to limit objects whose Parent is the folder, after an object id.
	InFolder(ctx context.Context, org id.Org, b id.Bucket, c id.Connection, parent string, after id.Object, limit int) ([]bucket.Object, error)
	// Unseen returns up to limit present entries of a sync whose SeenPass is not pass, after a source id.
	Unseen(ctx context.Context, org id.Org, b id.Bucket, s id.Sync, pass id.Pass, after key.Key, limit int) ([]bucket.Entry, error)

	// Upsert writes objects by id: the same call again changes nothing. CreatedAt of one that exists is kept.
	// One that is Removed, which a user did at any time before, is left as it is, unless what
	// is written has another version, which is not "", or is Removed too. One that is
	// not and has a higher Revision is left as it is, unless what is written is Removed.
	Upsert(ctx context.Context, org id.Org, b id.Bucket, objects []bucket.Object) error
	// MarkSeen sets SeenPass.
	MarkSeen(ctx context.Context, org id.Org, b id.Bucket, pass id.Pass, ids []id.Object) error
	// Remove deletes rows and the names reserved for them; missing ones are ignored.
	Remove(ctx context.Context, org id.Org, b id.Bucket, ids []id.Object) error

	Get(ctx context.Context, org id.Org, b id.Bucket, o id.Object) (bucket.Object, error)
	Update(ctx context.Context, org id.Org, b id.Bucket, o id.Object, change func(*bucket.Object) error) (bucket.Object, error)
	List(ctx context.Context, org id.Org, b id.Bucket, f bucket.Filter, p Page) (List[bucket.Object], error)
	// Stats counts what is present, over an index.
	Stats(ctx context.Context, org id.Org, b id.Bucket) (bucket.Stats, error)
	// CountSync counts the present objects of a sync.
	CountSync(ctx context.Context, org id.Org, b id.Bucket, s id.Sync) (int64, error)
	// Drop removes up to limit rows of a bucket, of all kinds, and says whether more are left.
	Drop(ctx context.Context, org id.Org, b id.Bucket, limit int) (more bool, err error)

	// Reserve records the names of sources in a bucket, each once and for all.
	// For each claim it returns the name already recorded for Source, else the
	// first candidate whose Folded form is not taken in the bucket, recorded in
	// the same step. errs.AlreadyExists when all candidates are taken.
	Reserve(ctx context.Context, org id.Org, b id.Bucket, claims []bucket.Claim) ([]string, error)
	// Release frees the names of sources.
	Release(ctx context.Context, org id.Org, b id.Bucket, sources []key.Key) error
}

// Tree is the id-to-parent index of sources with folders, per sync.
type Tree interface {
	Apply(ctx context.Context, org id.Org, s id.Sync, changes []syncing.TreeChange) error
	// Nodes returns those of the ids that are known.
	Nodes(ctx context.Context, org id.Org, s id.Sync, ids []string) (map[string]syncing.Node, error)
	Children(ctx context.Context, org id.Org, s id.Sync, parent, after string, limit int) ([]syncing.Node, error)
	Drop(ctx context.Context, org id.Org, s id.Sync) error
}

// Syncs of an organization, newest first. Deleted ones are not found, but by Get.
type Syncs interface {
	Records[syncing.Sync, id.Sync]
	List(ctx context.Context, org id.Org, f syncing.Filter, p Page) (List[syncing.Sync], error)
	Count(ctx context.Context, org id.Org, f syncing.Filter) (int64, error)
	// Remove takes a deleted sync's row and all rows that belong to it: passes,
	// shards, runs, records, absences, dead letters, tree.
	Remove(ctx context.Context, org id.Org, s id.Sync) error
}

// Passes of syncs.
type Passes interface {
	Records[syncing.Pass, id.Pass]
	Remove(ctx context.Context, org id.Org, p id.Pass) error
}

// Shards of passes.
type Shards interface {
	Records[syncing.Shard, string]
	OfPass(ctx context.Context, org id.Org, p id.Pass) ([]syncing.Shard, error)
	Remove(ctx context.Context, org id.Org, p id.Pass) error
}

// Runs of syncs, newest first.
type Runs interface {
	Records[syncing.Run, id.Run]
	List(ctx context.Context, org id.Org, f syncing.RunFilter, p Page) (List[syncing.Run], error)
	Count(ctx context.Context, org id.Org, f syncing.RunFilter) (int64, error)
	Remove(ctx context.Context, org id.Org, r id.Run) error
}

// Pages holds page records between their insert and the end of their redo.
type Pages interface {
	// Append inserts a record. AlreadyExists when its (pass, shard, seq) is
	// taken: whoever meets that has lost the shard and stops.
	Append(ctx context.Context, org id.Org, r syncing.Record) error
	// Pending returns a sync's records in order of id.
	Pending(ctx context.Context, org id.Org, s id.Sync, after string, limit int) ([]syncing.Record, error)
	Drop(ctx context.Context, org id.Org, s id.Sync, ids []string) error
}

// Absences noted by a pass, until they are settled.
type Absences interface {
	Note(ctx context.Context, org id.Org, s id.Sync, p id.Pass, a []syncing.Absence) error // idempotent
	List(ctx context.Context, org id.Org, s id.Sync, p id.Pass, after key.Key, limit int) ([]syncing.Absence, error)
	Count(ctx context.Context, org id.Org, s id.Sync, p id.Pass) (int64, error)
	Settle(ctx context.Context, org id.Org, s id.Sync, p id.Pass, o []id.Object) error // idempotent
	Drop(ctx context.Context, org id.Org, s id.Sync, p id.Pass) error
}

// DeadLetters of syncs.
type DeadLetters interface {
	// Put writes by id, replacing an older one of the same item. CreatedAt of one that exists is kept.
	Put(ctx context.Context, org id.Org, letters []syncing.DeadLetter) error
	Close(ctx context.Context, org id.Org, s id.Sync, ids []string) error // idempotent
	Get(ctx context.Context, org id.Org, s id.Sync, letter string) (syncing.DeadLetter, error)
	// Scan returns those whose source id lies after `after` and, unless to is "", before `to`, in order.
	Scan(ctx context.Context, org id.Org, s id.Sync, after, to key.Key, limit int) ([]syncing.DeadLetter, error)
	Lookup(ctx context.Context, org id.Org, s id.Sync, ids []string) (map[string]syncing.DeadLetter, error)
	List(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter, p Page) (List[syncing.DeadLetter], error)
	Count(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter) (int64, error)
	// SetStatus moves all that the filter selects and says how many.
	SetStatus(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter, ids []string, status string) (int64, error)
	// Purge removes all that the filter selects (and ids, when given, name) and says how many.
	Purge(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter, ids []string) (int64, error)
}

// Audit is the trail, newest first.
type Audit interface {
	// Append adds entries that belong to no record, e.g. of read auditing; idempotent by id.
	Append(ctx context.Context, org id.Org, entries []audit.Entry) error
	Get(ctx context.Context, org id.Org, a id.Audit) (audit.Entry, error)
	List(ctx context.Context, org id.Org, f audit.Filter, skip, limit int) ([]audit.Entry, error)
	Count(ctx context.Context, org id.Org, f audit.Filter) (int64, error)

	// Scan returns up to limit entries after a sequence, in order of sequence.
	Scan(ctx context.Context, org id.Org, after int64, limit int) ([]audit.Entry, error)
	// Last returns the entry with the highest sequence; errs.NotFound when the
	// trail is empty. Pruning never takes it.
	Last(ctx context.Context, org id.Org) (audit.Entry, error)
	// Checkpoint returns what stands for the entries that were pruned, nil when none were.
	Checkpoint(ctx context.Context, org id.Org) (*audit.Checkpoint, error)
	// Prune removes the entries up to the checkpoint's sequence and keeps the
	// checkpoint, in one step; errs.NotFound when there is no such entry,
	// errs.Conflict when it is the last or has another MAC.
	Prune(ctx context.Context, org id.Org, p audit.Checkpoint) error
}

// Events in order of their sequence.
type Events interface {
	Append(ctx context.Context, org id.Org, events []event.Event) error // idempotent by id
	List(ctx context.Context, org id.Org, afterSequence int64, limit int) ([]event.Event, error)
	// Last returns the highest sequence that was given, also to an event that
	// is gone; 0 for none.
	Last(ctx context.Context, org id.Org) (int64, error)
	// Drop removes the events up to a sequence.
	Drop(ctx context.Context, org id.Org, upTo int64) error
}

// Webhooks of an organization, newest first.
type Webhooks interface {
	Records[webhook.Webhook, id.Webhook]
	List(ctx context.Context, org id.Org, p Page) (List[webhook.Webhook], error)
	// Remove takes a webhook's row and its deliveries; a missing one is no error.
	Remove(ctx context.Context, org id.Org, w id.Webhook) error
}

// Deliveries that did not succeed yet.
type Deliveries interface {
	Records[webhook.Delivery, string]
	// List is newest first; state "" is all.
	List(ctx context.Context, org id.Org, w id.Webhook, state string, p Page) (List[webhook.Delivery], error)
	// Due returns up to limit whose time has come, longest due first.
	Due(ctx context.Context, org id.Org, w id.Webhook, now time.Time, limit int) ([]webhook.Delivery, error)
	Remove(ctx context.Context, org id.Org, id string) error // a missing one is no error
}
