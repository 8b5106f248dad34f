// Package driver is what a provider's adapter implements. Users of a source go
// through the package provider above it, which adds retry, budgets, metrics and
// the wrapping and scrubbing of errors; an adapter does none of that, but it
// classifies: each error it returns is an *errs.Error with Origin Provider, a
// Kind decided by the provider's code (never by message text where a code
// exists), a Scope, and the provider's Code and RequestID. Its text never
// repeats the provider's body.
package driver

import (
	"context"
	"io"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/key"
)

// Source is an open connection. It is safe for concurrent use. Every method
// returns soon after its context ends.
type Source interface {
	// Check proves that the credentials work (and that target is readable,
	// where one is given) in at most three requests. It never lists more than
	// one entry and never writes.
	Check(ctx context.Context, target string) (Report, error)
	// Browse pages through the folders and files directly below a path. page
	// "" is the first; limit is 1..1000.
	Browse(ctx context.Context, path, page string, limit int) (Listing, error)
	// Changes returns the page after cur. A nil cursor starts an enumeration
	// of scope. A cursor is opaque, survives a restart, and may be asked again:
	// it then gives the same page or what that page has become. A dead cursor
	// is errs.CursorExpired. A feed takes its start token before it enumerates.
	Changes(ctx context.Context, scope Scope, cur Cursor) (Page, error)
	// Stat reads one item as it is now; errs.NotFound when it is gone or has
	// left its scope.
	Stat(ctx context.Context, scope Scope, id string) (Item, error)
	// Open reads an item at the version listed, from off on; errs.Stale if it
	// has changed since. The reader ends with io.EOF only at the item's end:
	// a broken transfer is io.ErrUnexpectedEOF or a classified error. A reader
	// may implement Checksummed.
	Open(ctx context.Context, item Item, off int64) (io.ReadCloser, error)
	Close() error
}

// Splitter is a Source that can find key ranges by probing, so that parts of a
// scope are enumerated at once. It returns 1..n scopes that cover scope without
// overlap, in order.
type Splitter interface {
	Split(ctx context.Context, scope Scope, n int) ([]Scope, error)
}

// Ranger is a Source that reads a part of an item, so that several parts of a large
// one are read at once. OpenRange reads n bytes (at least 1) from off on, with the
// promises of Open: the reader ends with io.EOF after the last of them, and not before.
type Ranger interface {
	OpenRange(ctx context.Context, item Item, off, n int64) (io.ReadCloser, error)
}

// Attributer is a Source whose items have attributes that a listing lacks. It
// is asked only for what a schema mapping needs.
type Attributer interface {
	Attributes(ctx context.Context, item Item, want Want) (Attributes, error)
}

// Walker is a Source with folders and a feed. Walk enumerates everything below a
// folder, at any depth, the folder itself left out: it is asked when a feed's
// change brings a folder into the scope of which nothing is known. The cursor is
// as that of Changes, but need not survive a restart: a walk that was broken off
// begins anew. The last page has no Next. What is met twice, or moves meanwhile,
// does no harm: the feed tells of it again.
type Walker interface {
	Walk(ctx context.Context, scope Scope, folder string, cur Cursor) (Page, error)
}

// Budgeter is a Source that knows with whom its provider throttles it together,
// e.g. one application in one tenant. Budget names them, with what proves the
// name (a digest of a secret), so that nobody is slowed down by another who only
// claims it. Sources of one provider with the same Budget share their budget.
type Budgeter interface {
	Budget() string
}

// Want says which attributes are needed. Permissions is the one property of that
// name, which says who may see a file and often costs a request of its own.
type Want struct{ Metadata, Tags, Properties, Permissions bool }

// Attributes of an item. Metadata keys are in lower case.
type Attributes struct {
	Metadata   map[string]string
	Tags       map[string]string
	Properties map[string]any // drive properties
	MIME       string
}

// Checksummed is a reader that knows checksums of the whole item. They are
// asked for after the reader was opened, whatever its offset.
type Checksummed interface {
	Checksums() []Checksum
}

// Checksum is the provider's, of an item's whole content.
type Checksum struct {
	Algorithm string // "sha256", "md5", "sha1", "crc32", "crc32c", "crc64nvme", "quickxor"
	Value     []byte
	// Certain is false for a value that only looks like a checksum, as an ETag
	// of 32 hex digits does: a mismatch then is no proof of damage.
	Certain bool
}

// Scope is what to enumerate: a path in the provider's form (S3: "bucket" or
// "bucket/prefix"), optionally a half-open range [From, To) of item ids.
type Scope struct {
	Path     string
	From, To key.Key // "" is unbounded
	// Unordered asks for an enumeration whose order is not relied on: its pages
	// are not Ordered. It is for sources whose order was found broken: without
	// it such a source returns errs.Corrupt with the Code CodeListOrder.
	Unordered bool
}

// CodeListOrder is the Code of the errs.Corrupt of a listing that should ascend
// and does not: enumerate again with Scope.Unordered.
const CodeListOrder = "ListOrder"

// Cursor is opaque: it must never be interpreted outside the adapter. nil, or
// an empty one, is the beginning.
type Cursor []byte

// Page is one page of changes.
type Page struct {
	Changes []Change
	Next    Cursor // what to ask next; after the last page of a feed, where the next pass goes on
	More    bool   // more pages follow now
	// Snapshot: the pages of this enumeration together are the whole of scope,
	// so that an absent item is gone. False for the pages of a feed after its
	// enumeration. It is the same on every page between two ends.
	Snapshot bool
	// Ordered: ids ascend strictly by raw bytes, within and across pages. A
	// feed's enumeration is never ordered.
	Ordered bool
	// Feed: after More is false, Next can be kept and asked later for what has changed.
	Feed bool
	// Incomplete: the provider says that it left something out: nothing may be
	// deleted on the strength of this enumeration.
	Incomplete bool
}

// Change is one item that exists or is gone.
//
// In a feed a folder's change stands for all that is below it: what is below a
// folder that was renamed, moved or deleted is not repeated. A feed may tell of
// what lies outside of its scope: Item.Parent says where it is, and whoever keeps
// the index of folders decides. It asks Stat for a folder that it has never met,
// and Walk for what is below one that enters the scope.
type Change struct {
	Item Item
	Gone bool // deleted, or known to be out of scope, perhaps never met; only Item.ID (and Folder, if known) is set
}

// Item is one file, row or folder.
type Item struct {
	ID   string // stable for the item's life; unique within the connection; never ""
	Path string // from the root of the bucket or drive, slash-separated; "" for sources with folders, whose Parent tells
	Rel  string // Path below the scope's path, for filters; likewise
	Name string // the bare name

	Folder bool
	Parent string // the folder's id, for sources with folders; "" is the scope's root

	Size       int64  // bytes; -1: not known before reading
	Version    string // changes whenever the content does; compared, never interpreted
	ModifiedAt time.Time
	MIME       string
	Skip       string // why it can't be read, e.g. "archived_storage_class", "directory_marker"; "" when it can
	Note       string // what a run should count beside what becomes of it, e.g. "null_watermark"; a word of a fixed few

	// Inline is the content itself (rows), at most MaxInline bytes; nil: read with Open.
	Inline  []byte
	Columns map[string]any // of a row, for mappings
}

// MaxInline bounds Item.Inline. A page is held in memory as it is: an adapter ends
// it once it holds some 16 MiB.
const MaxInline = 1 << 20

// Listing is a page of Browse, folders first where the provider can say so. The
// Path of an entry is from the connection's top: of a folder, Browse and a Scope
// take it as it is.
type Listing struct {
	Items []Item
	Next  string // "" on the last page
}

// Report says what a check found, in words for a person and details for a
// program. It holds no secret.
type Report struct {
	Message string
	Details map[string]any // e.g. "region", "note", "requests"
}

// Options are what the operator and the portable type give to an adapter.
type Options struct {
	// Endpoints override the provider's own, by name ("api", "token", "sts");
	// set by the operator alone.
	Endpoints map[string]string
	// Transport makes guarded connections (internal/outbound).
	Transport Transport
	// OwnIdentity reaches the operator's AWS identity, for assumed roles only.
	OwnIdentity Identity
	// Tokens keeps what the connection's credentials are exchanged for; never nil.
	Tokens Tokens
	Now    func() time.Time
}

// Opener makes a Source of a configuration. It makes no request. A field that
// can't be right is errs.Invalid.
type Opener func(ctx context.Context, c config.Config, o Options) (Source, error)
