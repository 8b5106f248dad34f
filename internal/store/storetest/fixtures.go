package storetest

import (
	"fmt"
	"strings"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/syncing"
)

func newOrganization(n int) access.Organization {
	return access.Organization{ID: id.NewOrg(), Name: fmt.Sprint("organization ", n), DataKey: 1, CreatedAt: moment(n), UpdatedAt: moment(n)}
}

func newUser(org id.Org, n int) access.User {
	i := id.NewUser()
	return access.User{ID: i, Org: org, Email: string(i) + "@example.com", Name: fmt.Sprint("user ", n), CreatedAt: moment(n), UpdatedAt: moment(n)}
}

func newNamespace(org id.Org, n int) access.Namespace {
	i := id.NewNamespace()
	return access.Namespace{ID: i, Org: org, Name: string(i), CreatedAt: moment(n), UpdatedAt: moment(n)}
}

func newKey(org id.Org, user id.User, n int) access.APIKey {
	i := id.NewAPIKey()
	return access.APIKey{
		ID: i, Org: org, User: user, Hash: id.NewToken(64), Prefix: "mk_1234567", Name: string(i), Permissions: []access.Permission{access.Read},
		Status: access.KeyActive, CreatedAt: moment(n), UpdatedAt: moment(n), CreatedBy: "usr_x",
	}
}

func newConnection(org id.Org, n int) connection.Connection {
	i := id.NewConnection()
	c := connection.Connection{
		ID: i, Org: org, Provider: "s3", Name: "connection " + string(i), Status: connection.Active,
		Metadata:  map[string]any{"a": "1", "b": int64(2), "c": []any{"x", map[string]any{"y": true}}, "d": 1.5},
		CreatedAt: moment(n), UpdatedAt: moment(n), CreatedBy: "usr_x",
	}
	c.Config.Provider, c.Config.Credential = "s3", "access_key"
	return c
}

func newBucket(org id.Org, ns id.Namespace, n int) bucket.Bucket {
	i := id.NewBucket()
	return bucket.Bucket{
		ID: i, Org: org, Namespace: ns, Name: "bucket " + string(i), Status: bucket.Active, Destination: "default",
		Schema: map[string]any{"properties": map[string]any{"content": map[string]any{"type": "blob"}}}, CreatedAt: moment(n), UpdatedAt: moment(n),
	}
}

func newSync(org id.Org, n int) syncing.Sync {
	return syncing.Sync{
		ID: id.NewSync(), Org: org, Namespace: "ns_a", Bucket: "bkt_a", Connection: "conn_a", SourcePath: "path", Mode: syncing.Continuous,
		Status: syncing.Active, CreatedAt: moment(n), UpdatedAt: moment(n),
	}
}

func newPass(org id.Org, s id.Sync, n int) syncing.Pass {
	return syncing.Pass{ID: id.NewPass(), Org: org, Sync: s, Number: int64(n), State: syncing.Enumerating, StartedAt: moment(n), UpdatedAt: moment(n)}
}

func newShard(org id.Org, s id.Sync, p id.Pass, n int) syncing.Shard {
	name := fmt.Sprintf("%03d", n)
	return syncing.Shard{
		ID: syncing.ShardID(p, name), Org: org, Sync: s, Pass: p, Name: name, From: "a\x00", To: "\xff", UpdatedAt: moment(n),
		Position: syncing.Position{Cursor: []byte{0, 1, 2}, After: "b\xfe"}, Ledger: syncing.Ledger{SkippedBy: map[string]int64{"x": 1, "y": 2}},
	}
}

func newRun(org id.Org, s id.Sync, b id.Bucket, n int) syncing.Run {
	return syncing.Run{ID: id.NewRun(), Org: org, Sync: s, Bucket: b, Number: int64(n), Kind: "sync", Status: syncing.RunInProgress, StartedAt: moment(n), UpdatedAt: moment(n)}
}

func newObject(org id.Org, b id.Bucket, c id.Connection, s id.Sync, k key.Key, n int) bucket.Object {
	return bucket.Object{
		ID: id.ObjectOf(b, c, string(k)), Org: org, Bucket: b, Connection: c, Sync: s, Provider: "s3", SourceID: k,
		SourcePath: k.Encode(), Name: "file " + k.Encode(), Size: int64(n), Version: fmt.Sprint("v", n), MIME: "text/plain",
		SHA256: fmt.Sprintf("%064x", n), Verdict: "verified: md5", State: bucket.Present, CreatedAt: moment(n), UpdatedAt: moment(n),
	}
}

func newRecord(org id.Org, s id.Sync, p id.Pass, shard string, seq int64) syncing.Record {
	return syncing.Record{
		ID: syncing.RecordID(p, shard, seq), Org: org, Sync: s, Bucket: "bkt_a", Pass: p, Shard: shard, Seq: seq, Run: "run", Fence: 7,
		Next: syncing.Position{Cursor: []byte("next"), After: "k\xff"}, Ledger: syncing.Ledger{Discovered: 1, Synced: 1},
		Put: []bucket.Object{newObject(org, "bkt_a", "conn_a", s, "k\xff", 1)}, At: moment(int(seq)),
	}
}

func newLetter(org id.Org, s id.Sync, k key.Key, n int) syncing.DeadLetter {
	return syncing.DeadLetter{
		ID: syncing.DeadLetterID(s, k), Org: org, Sync: s, SourceID: k, SourcePath: strings.ToValidUTF8(string(k), "?"), Version: "v1",
		Status: syncing.DeadOpen, Kind: "stale", Message: "it changed", Attempts: 3, CreatedAt: moment(n), UpdatedAt: moment(n),
	}
}

func newEntry(n int) audit.Entry {
	return audit.Entry{
		ID: id.NewAudit(), Time: moment(n), ResourceType: audit.Bucket, ResourceID: "bkt_a", Action: audit.BucketAccessed,
		Actor: audit.Actor{ID: "usr_a", Type: audit.ByUser}, Success: true,
	}
}

func newEvent(n int) event.Event {
	return event.Event{ID: id.NewEvent(), Time: moment(n), Type: event.SyncCompleted, Subject: "sync_a", Data: map[string]any{"n": int64(n)}}
}
