// Package mongo is the shared store: any number of processes work on one
// database that speaks the MongoDB protocol. It needs nothing of the server but
// that the update of one document is atomic and unique indexes are full: no
// transactions, change streams, TTL or partial indexes, pipeline updates. What
// more than one document tells is therefore written in an order that a crash at
// any point leaves true; see docs/design/0008-mongodb.md.
package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/internal/touch"
	"mooring/internal/store/system"
)

// Options of a store.
type Options struct {
	URI secret.String    // mongodb:// or mongodb+srv://, with the database; see DefaultDatabase
	Now func() time.Time // the clock; nil is time.Now

	noted func(Query) // for tests: called with each query that is issued
}

// DefaultDatabase is used when the URI names none.
const DefaultDatabase = "mooring"

// How long an operation waits, unless the URI says otherwise: for a server that
// takes writes, and in all.
const (
	selectionTimeout = 15 * time.Second
	operationTimeout = time.Minute
)

// Store is a database that is open.
type Store struct {
	now    func() time.Time
	noted  func(Query)
	client *driver.Client
	db     *driver.Database
	touch  *touch.Touches
	chain  *audit.Chain // nil: audit entries are not linked
	once   sync.Once
	err    error // of Close
	roles
}

var (
	_ store.Store   = (*Store)(nil)
	_ system.System = (*System)(nil)
)

// Open connects to a database, makes its indexes when it is new, and checks
// them. A schema newer than this program knows, or an index that differs from
// the one of its name that this program uses, is errs.Conflict.
func Open(ctx context.Context, o Options) (*Store, error) {
	const op = "mongo.open"
	if o.Now == nil {
		o.Now = time.Now
	}
	settings, name, err := clientOptions(o.URI)
	if err != nil {
		return nil, err
	}
	s := &Store{now: o.Now, noted: o.noted}
	if s.client, err = driver.Connect(settings); err != nil {
		return nil, errs.New(errs.Invalid, op, "the URI of the store can't be used")
	}
	s.db = s.client.Database(name)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.disconnect())
	}
	s.touch = touch.New(s.writeTouches)
	s.roles = newRoles(s)
	return s, nil
}

// clientOptions reads a URI. Its errors say nothing of it: it may hold a password.
func clientOptions(uri secret.String) (*options.ClientOptions, string, error) {
	const op = "mongo.open"
	cs, err := connstring.ParseAndValidate(uri.Reveal())
	if err != nil {
		return nil, "", errs.New(errs.Invalid, op, "the URI of the store is not one of MongoDB: mongodb://HOST/DATABASE or mongodb+srv://HOST/DATABASE")
	}
	journaled := true
	out := options.Client().ApplyURI(uri.Reveal()).SetAppName("mooring").SetRetryWrites(true).SetRetryReads(true).
		SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled})
	if out.ServerSelectionTimeout == nil {
		out.SetServerSelectionTimeout(selectionTimeout)
	}
	if out.Timeout == nil {
		out.SetTimeout(operationTimeout)
	}
	if err := out.Validate(); err != nil {
		return nil, "", errs.New(errs.Invalid, op, "the URI of the store has options that don't go together")
	}
	if cs.Database == "" {
		return out, DefaultDatabase, nil
	}
	return out, cs.Database, nil
}

// prepare brings the schema up to date.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.client.Ping(ctx, readpref.Primary()); err != nil {
		return classify(ctx, err, "mongo.open")
	}
	return s.migrate(ctx)
}

// Close writes what is held back and ends the connections. Calls after the
// first return what it returned.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.touch.Close()
		s.err = s.disconnect()
	})
	return s.err
}

func (s *Store) disconnect() error {
	ctx, cancel := context.WithTimeout(context.Background(), selectionTimeout)
	defer cancel()
	return classify(ctx, s.client.Disconnect(ctx), "mongo.close")
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	const op = "store.ping"
	_, err := s.updateOne(ctx, op, "meta", bson.D{{Key: "_id", Value: schemaVersionName}}, bson.D{{Key: "$set", Value: bson.D{{Key: "pinged", Value: s.now()}}}})
	return err
}
