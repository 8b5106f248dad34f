// Package raw is a store as its documents: what backup, restore and copy need
// to move all of them without knowing what they say. Only those, the store
// implementations and cmd may import it.
//
// Both stores give the same documents. A record is the BSON of its domain type
// with everything that a store keeps beside it merged in (when a connection was
// last used, when an object was first created); rows that have no domain type
// are the types of this package. What a store keeps for itself alone (columns
// of indexes, numbers that stand for texts) is in none of them, and neither are
// leases, which belong to processes and not to what they work on, nor sessions:
// who was signed in signs in again.
package raw

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/id"
	"mooring/internal/key"
)

// Collection names one kind of documents.
type Collection string

// The collections of a store.
const (
	APIKeys       Collection = "api_keys"
	Users         Collection = "users"
	Namespaces    Collection = "namespaces"
	Consents      Collection = "consents"
	Tokens        Collection = "tokens"
	Webhooks      Collection = "webhooks"
	Deliveries    Collection = "deliveries"
	Syncs         Collection = "syncs"
	Pages         Collection = "pages"
	Passes        Collection = "passes"
	Shards        Collection = "shards"
	Runs          Collection = "runs"
	DeadLetters   Collection = "dead_letters"
	Tree          Collection = "tree"     // of Node
	Absences      Collection = "absences" // of Absence
	Objects       Collection = "objects"
	Names         Collection = "names" // of Name
	Buckets       Collection = "buckets"
	Usage         Collection = "usage"
	Connections   Collection = "connections"
	Organizations Collection = "organizations"
	Audit         Collection = "audit" // in order of sequence within an organization
	Checkpoints   Collection = "checkpoints"
	Events        Collection = "events"    // likewise
	Sequences     Collection = "sequences" // of Sequence
	DataKeys      Collection = "data_keys"
	Meta          Collection = "meta" // of Fact, without the version of the schema and Mark
)

// Mark is the name of the fact that stands in a shared store while it is filled.
// It is none of the documents that are read, put or erased.
const Mark = "being_filled"

// Collections are all of them, in the order in which they are read. A store
// that changes while it is read still gives something whole in this order: what
// refers comes before what is referred to, a cursor before what it stands for,
// a record before the trail and the events that it hands over to.
var Collections = []Collection{
	APIKeys, Users, Namespaces, Consents, Tokens, Webhooks, Deliveries, Syncs, Pages, Passes, Shards, Runs, DeadLetters, Tree, Absences,
	Objects, Names, Buckets, Usage, Connections, Organizations, Audit, Checkpoints, Events, Sequences, DataKeys, Meta,
}

// Source gives documents.
type Source interface {
	// Kind is "sqlite" or "mongodb", and Schema the version of its schema.
	Kind() string
	Schema() int
	// Frozen reports whether what is read is the store at one moment.
	Frozen() bool
	// Each calls visit with every document of a collection until it errs. A
	// document may be used during the call only.
	Each(ctx context.Context, c Collection, visit func(bson.Raw) error) error
}

// Target takes documents. Nobody else may use the store meanwhile.
type Target interface {
	Source
	// Put writes documents as they are, durably; one that is there already is replaced.
	Put(ctx context.Context, c Collection, docs []bson.Raw) error
	// Erase removes all documents of a collection.
	Erase(ctx context.Context, c Collection) error
}

// Fact is a fact about the store itself.
type Fact struct {
	Name  string `bson:"_id"`
	Value []byte `bson:"value"`
}

// Name is a name that is reserved in a bucket.
type Name struct {
	Org    id.Org    `bson:"internal_id"`
	Bucket id.Bucket `bson:"bucket_id"`
	Source key.Key   `bson:"source_id"`
	Name   string    `bson:"name"`
	Folded string    `bson:"folded"`
}

// Node is a folder of a sync's source.
type Node struct {
	Org    id.Org  `bson:"internal_id"`
	Sync   id.Sync `bson:"sync_config_id"`
	ID     string  `bson:"id"`
	Parent string  `bson:"parent"`
	Name   string  `bson:"name"`
}

// Absence is an object that a pass did not meet.
type Absence struct {
	Org    id.Org    `bson:"internal_id"`
	Sync   id.Sync   `bson:"sync_config_id"`
	Pass   id.Pass   `bson:"pass_id"`
	Object id.Object `bson:"object"`
	Source key.Key   `bson:"source_id"`
	Name   string    `bson:"name"`
}

// Sequence is the last number that an organization's trail or events were given.
type Sequence struct {
	Org  id.Org `bson:"internal_id"`
	Name string `bson:"name"` // "audit" or "events"
	Last int64  `bson:"last"`
}
