package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"mooring/internal/errs"
)

// migrations lead from each version of the schema to the next: the first makes
// version 1 from nothing. A migration that was released is never changed.
var migrations = []string{schemaRecords + schemaCatalogue + schemaSyncing, schemaTokens, schemaCheckpoints, schemaCensus, schemaWebhooks, schemaWatch, schemaSessions, schemaConsents}

// Kind is what this store is called where stores are told apart.
const Kind = "sqlite"

// Schema is the version of the schema that this program writes.
var Schema = len(migrations)

// Consents are listed when their organization gets another data key.
const schemaConsents = `
CREATE INDEX consents_list ON consents (org, created, id);
`

// What heartbeats move stands beside the document. The due queue is read from
// its index alone.
const schemaWatch = `
ALTER TABLE connections ADD COLUMN last_checked INTEGER;
ALTER TABLE connections ADD COLUMN last_success INTEGER;
ALTER TABLE connections ADD COLUMN host TEXT NOT NULL DEFAULT '';
DROP INDEX connections_due;
CREATE INDEX connections_due ON connections (next_check, id, org, host) WHERE next_check IS NOT NULL;

CREATE TABLE usage (org TEXT NOT NULL, connection TEXT NOT NULL, day TEXT NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (org, connection, day)) WITHOUT ROWID;
CREATE INDEX usage_day ON usage (org, day);
`

// The census counts over this index alone.
const schemaCensus = `
CREATE INDEX connections_census ON connections (provider, status);
`

// Checkpoints stand for the audit entries that retention removed.
const schemaCheckpoints = `
CREATE TABLE checkpoints (org TEXT PRIMARY KEY, doc BLOB NOT NULL) WITHOUT ROWID;
`

// Records: one table for each collection, with the document and the columns
// that its queries need, which the document holds too. Names that are unique
// among live records only stand in a column that is NULL otherwise.
const schemaRecords = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE organizations (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE INDEX organizations_list ON organizations (created, id);

CREATE TABLE users (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, email TEXT NOT NULL, doc BLOB NOT NULL);
CREATE INDEX users_list ON users (org, created, id);
CREATE UNIQUE INDEX users_email ON users (org, email);

CREATE TABLE namespaces (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, name TEXT NOT NULL, doc BLOB NOT NULL);
CREATE INDEX namespaces_list ON namespaces (org, created, id);
CREATE UNIQUE INDEX namespaces_name ON namespaces (org, name);

CREATE TABLE api_keys (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL,
	user TEXT NOT NULL, live_name TEXT, hash TEXT NOT NULL, doc BLOB NOT NULL);
CREATE INDEX api_keys_list ON api_keys (org, created, id);
CREATE INDEX api_keys_user ON api_keys (org, user, created, id);
CREATE UNIQUE INDEX api_keys_name ON api_keys (org, user, live_name);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);

CREATE TABLE connections (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL,
	name TEXT NOT NULL, live_name TEXT, provider TEXT NOT NULL, status TEXT NOT NULL, next_check INTEGER, last_used INTEGER, doc BLOB NOT NULL);
CREATE INDEX connections_list ON connections (org, created, id, status, provider);
CREATE INDEX connections_name ON connections (org, name, created, id);
CREATE UNIQUE INDEX connections_live ON connections (org, live_name);
CREATE INDEX connections_due ON connections (next_check, id) WHERE next_check IS NOT NULL;

CREATE TABLE buckets (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL,
	namespace TEXT NOT NULL, name TEXT NOT NULL, live_name TEXT, description TEXT NOT NULL, status TEXT NOT NULL, doc BLOB NOT NULL);
CREATE INDEX buckets_list ON buckets (org, created, id);
CREATE UNIQUE INDEX buckets_live ON buckets (org, namespace, live_name);
CREATE INDEX buckets_status ON buckets (status, id);

CREATE TABLE audit (org TEXT NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, time INTEGER NOT NULL,
	resource_type TEXT NOT NULL, resource TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, doc BLOB NOT NULL);
CREATE UNIQUE INDEX audit_id ON audit (org, id);
CREATE UNIQUE INDEX audit_sequence ON audit (org, sequence);
CREATE INDEX audit_list ON audit (org, time, sequence);
CREATE INDEX audit_resource ON audit (org, resource, time, sequence);

CREATE TABLE events (org TEXT NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE UNIQUE INDEX events_id ON events (org, id);
CREATE UNIQUE INDEX events_sequence ON events (org, sequence);

CREATE TABLE sequences (org TEXT NOT NULL, name TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (org, name)) WITHOUT ROWID;

CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL, beat INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE data_keys (id BLOB PRIMARY KEY, name TEXT NOT NULL, doc BLOB NOT NULL);
CREATE UNIQUE INDEX data_keys_name ON data_keys (name);
`

// The catalogue. An atom is a number for a text of an organization (a bucket,
// connection or sync), so that the indexes of objects, which are most of the
// database, begin with a small number that leads to one organization only.
//
// Rows are appended; objects_key, objects_sync, objects_created, objects_path
// and names_folded grow at one place while a source is read in key order.
// objects_id, objects_content and names_source are written at random and
// therefore kept small.
const schemaCatalogue = `
CREATE TABLE atoms (n INTEGER PRIMARY KEY, org TEXT NOT NULL, name TEXT NOT NULL);
CREATE UNIQUE INDEX atoms_name ON atoms (org, name);

CREATE TABLE objects (n INTEGER PRIMARY KEY, id TEXT NOT NULL, bucket INTEGER NOT NULL, connection INTEGER NOT NULL, sync INTEGER NOT NULL,
	source TEXT NOT NULL, path TEXT NOT NULL, name TEXT, version TEXT NOT NULL, size INTEGER NOT NULL, state TEXT NOT NULL, mapping INTEGER NOT NULL,
	present INTEGER NOT NULL, sha BLOB, original INTEGER NOT NULL, parent TEXT, mime TEXT NOT NULL, seen TEXT NOT NULL,
	created INTEGER NOT NULL, updated INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE UNIQUE INDEX objects_id ON objects (bucket, id);
CREATE INDEX objects_key ON objects (bucket, connection, source, sync, state, mapping, size, version, path, name);
CREATE INDEX objects_sync ON objects (bucket, sync, source, present);
CREATE INDEX objects_created ON objects (bucket, created, id, present, size);
CREATE INDEX objects_path ON objects (bucket, path, id);
CREATE INDEX objects_content ON objects (bucket, substr(sha, 1, 8), original) WHERE sha IS NOT NULL;
CREATE INDEX objects_parent ON objects (bucket, connection, parent, id) WHERE parent IS NOT NULL;

CREATE TABLE names (bucket INTEGER NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL);
CREATE UNIQUE INDEX names_source ON names (bucket, source);
CREATE UNIQUE INDEX names_folded ON names (bucket, folded);
`

// Syncs and what belongs to them. A column sync in a table without org is an atom.
const schemaSyncing = `
CREATE TABLE syncs (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, bucket TEXT NOT NULL, connection TEXT NOT NULL,
	status TEXT NOT NULL, next_sync INTEGER, triggered INTEGER, deleted INTEGER, doc BLOB NOT NULL);
CREATE INDEX syncs_list ON syncs (org, created, id);
CREATE INDEX syncs_bucket ON syncs (org, bucket, created, id);
CREATE INDEX syncs_connection ON syncs (org, connection, created, id);
CREATE INDEX syncs_due ON syncs (next_sync, id) WHERE next_sync IS NOT NULL;
CREATE INDEX syncs_triggered ON syncs (triggered) WHERE triggered IS NOT NULL;
CREATE INDEX syncs_deleted ON syncs (deleted, id) WHERE deleted IS NOT NULL;

CREATE TABLE passes (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, sync TEXT NOT NULL, doc BLOB NOT NULL);
CREATE INDEX passes_sync ON passes (org, sync);

CREATE TABLE shards (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, sync TEXT NOT NULL, pass TEXT NOT NULL, doc BLOB NOT NULL);
CREATE INDEX shards_pass ON shards (org, pass, id);
CREATE INDEX shards_sync ON shards (org, sync);

CREATE TABLE runs (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, bucket TEXT NOT NULL, sync TEXT NOT NULL, doc BLOB NOT NULL);
CREATE INDEX runs_list ON runs (org, created, id);
CREATE INDEX runs_sync ON runs (org, sync, created, id);
CREATE INDEX runs_bucket ON runs (org, bucket, created, id);

CREATE TABLE pages (sync INTEGER NOT NULL, id TEXT NOT NULL, doc BLOB NOT NULL);
CREATE UNIQUE INDEX pages_id ON pages (sync, id);

CREATE TABLE absences (sync INTEGER NOT NULL, pass TEXT NOT NULL, source TEXT NOT NULL, object TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (sync, pass, source)) WITHOUT ROWID;
CREATE INDEX absences_object ON absences (sync, pass, object);

CREATE TABLE dead_letters (sync INTEGER NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL, status TEXT NOT NULL, kind TEXT NOT NULL, created INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE UNIQUE INDEX dead_letters_id ON dead_letters (sync, id);
CREATE INDEX dead_letters_source ON dead_letters (sync, source);
CREATE INDEX dead_letters_list ON dead_letters (sync, created, id, status, kind);

CREATE TABLE tree (sync INTEGER NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (sync, id)) WITHOUT ROWID;
CREATE INDEX tree_parent ON tree (sync, parent, id, name);
`

// migrate brings the schema to the version of this program.
func migrate(ctx context.Context, conn *sql.Conn) error {
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return errs.New(errs.Conflict, "sqlite.open", "the data directory was written by a newer Mooring: its schema has version "+
			strconv.Itoa(version)+", this program knows "+strconv.Itoa(len(migrations)))
	}
	for ; version < len(migrations); version++ {
		if err := migrateOne(ctx, conn, version); err != nil {
			return err
		}
	}
	return nil
}

func schemaVersion(ctx context.Context, conn interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (int, error) {
	var tables int
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	var text string
	if err := conn.QueryRowContext(ctx, "SELECT CAST(value AS TEXT) FROM meta WHERE name = 'schema_version'").Scan(&text); err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(text)
	return version, errs.Wrap(err, errs.Corrupt, "sqlite.open", "the version of the schema can't be read")
}

func migrateOne(ctx context.Context, conn *sql.Conn, from int) error {
	t, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, migrations[from]); err != nil {
		return errors.Join(err, t.Rollback())
	}
	if _, err := t.ExecContext(ctx, "INSERT OR REPLACE INTO meta (name, value) VALUES ('schema_version', ?)", []byte(strconv.Itoa(from+1))); err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.Commit()
}
