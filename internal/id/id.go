// Package id makes and types the identifiers of Mooring's records. Each kind of
// record has a type of its own, so that an organization can't be passed where a
// connection is meant.
package id

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/google/uuid"
)

// The identifier types. Their text is the prefix named and random characters of
// [a-z0-9], but for Run (a UUID v7, which sorts by time) and Object (derived).
type (
	Org        string // int_ + 24
	User       string // usr_ + 15
	Connection string // conn_ + 15
	Namespace  string // ns_ + 15
	Bucket     string // bkt_ + 15
	Sync       string // sync_ + 15
	Pass       string // UUID v7
	Run        string // UUID v7
	Object     string // obj_ + 26 of base32, see ObjectOf
	APIKey     string // key_ + 15
	Event      string // evt_ + 15
	Audit      string // aud_ + 15
	Webhook    string // whk_ + 15
	Session    string // ses_ + 15
	Worker     string // a process: wrk_ + 15
)

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// random returns n characters of the alphabet, each equally likely: bytes at or
// above the largest multiple of 36 are drawn again.
func random(n int) string {
	out := make([]byte, 0, n)
	var buf [64]byte
	for len(out) < n {
		_, _ = rand.Read(buf[:]) // never fails: it aborts the process instead
		for _, b := range buf {
			if b < 252 && len(out) < n {
				out = append(out, alphabet[b%36])
			}
		}
	}
	return string(out)
}

// NewOrg makes an organization's id.
func NewOrg() Org { return Org("int_" + random(24)) }

// NewUser makes a user's id.
func NewUser() User { return User("usr_" + random(15)) }

// NewConnection makes a connection's id.
func NewConnection() Connection { return Connection("conn_" + random(15)) }

// NewNamespace makes a namespace's id.
func NewNamespace() Namespace { return Namespace("ns_" + random(15)) }

// NewBucket makes a bucket's id.
func NewBucket() Bucket { return Bucket("bkt_" + random(15)) }

// NewSync makes a sync's id.
func NewSync() Sync { return Sync("sync_" + random(15)) }

// NewAPIKey makes an API key's id.
func NewAPIKey() APIKey { return APIKey("key_" + random(15)) }

// NewEvent makes an event's id.
func NewEvent() Event { return Event("evt_" + random(15)) }

// NewAudit makes an audit entry's id.
func NewAudit() Audit { return Audit("aud_" + random(15)) }

// NewWebhook makes a webhook's id.
func NewWebhook() Webhook { return Webhook("whk_" + random(15)) }

// NewSession makes the id of a session of the dashboard.
func NewSession() Session { return Session("ses_" + random(15)) }

// NewWorker makes the id of a process.
func NewWorker() Worker { return Worker("wrk_" + random(15)) }

// NewPass makes a pass's id.
func NewPass() Pass { return Pass(uuid.Must(uuid.NewV7()).String()) }

// NewRun makes a run's id.
func NewRun() Run { return Run(uuid.Must(uuid.NewV7()).String()) }

// NewToken returns n random characters of [a-z0-9] (5.17 bits each) for secrets such as API keys.
func NewToken(n int) string { return random(n) }

var objectEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ObjectOf derives an object's id from what it stands for, so that ingesting
// the same source item again meets the same object: obj_ + the first 26 base32
// characters (130 bits) of SHA-256 over bucket, connection and source id, each
// ended by a NUL.
func ObjectOf(b Bucket, c Connection, sourceID string) Object {
	h := sha256.New()
	for _, s := range []string{string(b), string(c), sourceID} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return Object("obj_" + objectEncoding.EncodeToString(h.Sum(nil))[:26])
}

// IsConnection reports whether s has the form of a connection's id rather than of a name.
func IsConnection(s string) bool { return strings.HasPrefix(s, "conn_") }
