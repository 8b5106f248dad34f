// Package bucket is the destination of syncs and its catalogue: buckets, the
// objects in them, and the names under which objects are placed.
package bucket

import (
	"time"

	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/outbox"
)

// Bucket states.
const (
	Active   = "ACTIVE"
	Deleting = "IN_PROGRESS"
	Archived = "ARCHIVED"
)

// Bucket is a destination plus a catalogue of objects.
type Bucket struct {
	ID          id.Bucket      `bson:"_id"`
	Org         id.Org         `bson:"internal_id"`
	Namespace   id.Namespace   `bson:"namespace_id"`
	Revision    int64          `bson:"revision"`
	Name        string         `bson:"name"` // unique within the namespace among buckets not archived
	Description *string        `bson:"description"`
	Schema      map[string]any `bson:"bucket_schema"` // as the client sent it, validated
	UniqueKey   map[string]any `bson:"unique_key,omitempty"`
	Metadata    map[string]any `bson:"metadata"`
	Status      string         `bson:"status"`
	Destination string         `bson:"destination"` // the operator's name for it, e.g. "default"
	Rules       Rules          `bson:"rules"`       // what the destination's names allow, probed at creation
	Stats       Stats          `bson:"stats"`
	CreatedAt   time.Time      `bson:"created_at"`
	UpdatedAt   time.Time      `bson:"updated_at"`
	CreatedBy   string         `bson:"created_by_user_id"`
	Outbox      outbox.Outbox  `bson:"outbox,omitempty"`
}

// Stats are kept counts: recounted over the catalogue when a run has changed
// something, never incremented, so that no crash can leave them wrong for long.
type Stats struct {
	Objects   int64      `bson:"objects"` // present ones: neither tombstoned nor deleted
	Bytes     int64      `bson:"bytes"`
	UpdatedAt *time.Time `bson:"updated_at,omitempty"`
	LastAt    *time.Time `bson:"last_upload_at,omitempty"` // when an object last arrived
}

// Rules say what names a destination can hold. Lengths are in bytes.
type Rules struct {
	FoldCase     bool `bson:"fold_case"`     // names that differ in case alone are one file
	FoldUnicode  bool `bson:"fold_unicode"`  // names that differ in normalization alone are one file
	Windows      bool `bson:"windows"`       // reserved device names and characters of Windows apply
	MaxComponent int  `bson:"max_component"` // 255 on most file systems
	MaxPath      int  `bson:"max_path"`      // below the bucket's folder
}

// Object states.
const (
	Present    = "DRAFT"    // in the bucket, not processed by anybody: the contract's word
	Tombstoned = "ARCHIVED" // gone at the source, file removed by policy tombstone, record kept
	Removed    = "CANCELED" // deleted here by a user: this version does not come back
)

// Object is one source item in a bucket. Its id is id.ObjectOf(bucket,
// connection, source id), so ingesting the same item again meets it.
type Object struct {
	ID         id.Object     `bson:"_id"`
	Org        id.Org        `bson:"internal_id"`
	Bucket     id.Bucket     `bson:"bucket_id"`
	Connection id.Connection `bson:"connection_id"`
	Sync       id.Sync       `bson:"sync_config_id"`
	Provider   string        `bson:"provider_type"`
	SourceID   key.Key       `bson:"source_id"`        // orders the catalogue within a connection
	Parent     string        `bson:"parent,omitempty"` // the folder's id, for sources with folders
	SourcePath string        `bson:"source_path"`      // from the root of the source's bucket or drive
	Name       string        `bson:"name"`             // where it stands in the destination, recorded once
	Size       int64         `bson:"size"`
	Version    string        `bson:"version"` // the provider's version marks, opaque
	MIME       string        `bson:"mime_type,omitempty"`
	ModifiedAt *time.Time    `bson:"modified_at,omitempty"` // the source's clock

	SHA256      string `bson:"sha256"`       // lower-case hex
	Verdict     string `bson:"verification"` // "verified: …" or "unverifiable: …"
	DuplicateOf string `bson:"duplicate_of,omitempty"`

	Fields  map[string]any `bson:"fields,omitempty"`  // mapped fields
	Blobs   []Blob         `bson:"blobs,omitempty"`   // mapped blobs; the first is the file
	Mapping int64          `bson:"mapping,omitempty"` // the mapping revision they come from

	// Revision grows with each change that is told of, also when an object that
	// was removed comes back: see NextRevision.
	Revision  int64     `bson:"revision"`
	State     string    `bson:"state"`
	SeenPass  string    `bson:"seen_pass,omitempty"` // set by unordered enumerations only
	CreatedAt time.Time `bson:"created_at"`
	UpdatedAt time.Time `bson:"updated_at"`
}

// NextRevision is the revision of an object that changes at a time: milliseconds
// since 1970, or one more than it has. So it grows although nothing is kept of
// objects that were removed.
func (o *Object) NextRevision(at time.Time) int64 { return max(o.Revision+1, at.UnixMilli()) }

// Told is what an event says of an object; what is event.Created, event.Updated
// or event.Deleted.
func (o *Object) Told(what string) map[string]any {
	out := map[string]any{
		event.What: what, "object_id": string(o.ID), "revision": o.Revision, "source_path": o.SourcePath, "source_version": o.Version,
		"size_bytes": o.Size, "sha256": o.SHA256,
	}
	if o.MIME != "" {
		out["mime_type"] = o.MIME
	}
	return out
}

// ToldAlone is Told with whose object it is, where the rest of the event does not
// say so: it is not, or not only, of a run of the object's own sync.
func (o *Object) ToldAlone(what string) map[string]any {
	out := o.Told(what)
	out["connection_id"], out["sync_config_id"] = string(o.Connection), string(o.Sync)
	return out
}

// Blob is one blob of an object as the mapping names it.
type Blob struct {
	Property string `bson:"property"`
	Type     string `bson:"type"` // a BucketSchemaFieldType, resolved: never "auto"
	MIME     string `bson:"mime_type"`
	URL      string `bson:"url,omitempty"` // for a blob that is a constant URL, not the file
}

// Entry is the part of an object that the comparison with a listing needs.
type Entry struct {
	ID       id.Object
	Sync     id.Sync
	SourceID key.Key
	Version  string
	Size     int64
	Name     string
	State    string
	Mapping  int64
	Path     string // SourcePath
}

// Filter selects objects of a list: all conditions must hold.
type Filter struct {
	Where  []Condition
	Search string // substring of the source path, compared without case
	Sort   string // "created_at" (default), "source_path", "size" or "updated_at"
	Desc   bool
}

// Condition compares one indexed field ("source_path", "size", "created_at",
// "updated_at", "status", "mime_type", "connection_id", "sync_config_id",
// "content_hash", or a declared mapped field as "fields.x").
type Condition struct {
	Field string
	Op    string // eq, in, gt, lt, gte, lte, prefix
	Value any    // []any for in
}

// ListFilter selects buckets of a list. Zero fields select all.
type ListFilter struct {
	Namespace     id.Namespace
	Search        string
	CaseSensitive bool
	ID            id.Bucket
	Name          string
}

// Claim asks for a name for a source item or folder.
type Claim struct {
	Source     key.Key // Names.Source: what the name stands for
	Candidates []Candidate
}

// Candidate is a name and its folded form, which is unique within a bucket.
type Candidate struct {
	Name   string
	Folded string
}
