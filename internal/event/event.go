// Package event is what happened, told outwards: its names and form. Events are
// numbered within their organization, without gaps, when the store takes them.
package event

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"mooring/internal/id"
)

// The types of events, as receivers see them.
const (
	ConnectionFailed    = "connection.failed"
	ConnectionSuspended = "connection.suspended"
	ConnectionRecovered = "connection.recovered"
	ConnectionArchived  = "connection.archived"
	CredentialsExpiring = "credentials.expiring"

	SyncStarted   = "sync.started" // a run that changes something
	SyncCompleted = "sync.completed"
	SyncFailed    = "sync.failed"  // a run that failed
	SyncSuspect   = "sync.suspect" // nothing was deleted, since what the source told is not to be believed
	SyncStopped   = "sync.stopped" // five failures: it runs no more until somebody changes or triggers it

	ObjectCreated = objectPrefix + Created
	ObjectUpdated = objectPrefix + Updated
	ObjectDeleted = objectPrefix + Deleted

	WebhookTest = "webhook.test" // sent on request only, and never stored
)

// Types lists the types that can be subscribed to.
func Types() []string {
	return []string{
		ConnectionFailed, ConnectionSuspended, ConnectionRecovered, ConnectionArchived, CredentialsExpiring,
		SyncStarted, SyncCompleted, SyncFailed, SyncSuspect, SyncStopped, ObjectCreated, ObjectUpdated, ObjectDeleted,
	}
}

// Objects is the type of a stored event that stands for one event for each
// object that a page record created, changed or deleted: they are in its data
// under List, each with What became of it. Receivers never see it: see Messages.
const (
	Objects = "objects"
	List    = "objects"
	What    = "what"

	Created = "created"
	Updated = "updated"
	Deleted = "deleted"

	objectPrefix = "object."
)

// Event is one occurrence. Data holds ids, counts and names, never a secret.
type Event struct {
	ID       id.Event       `bson:"_id"`
	Org      id.Org         `bson:"internal_id"`
	Sequence int64          `bson:"sequence"`
	Time     time.Time      `bson:"time"`
	Type     string         `bson:"type"`
	Subject  string         `bson:"subject"` // the id of the record it is about
	Data     map[string]any `bson:"data,omitempty"`
}

// Message is an event as receivers see it. The same event gives the same
// messages, with the same ids, each time.
type Message struct {
	ID       string // evt_…, or evt_….N for the Nth of several, from 0
	Sequence int64  // of the event
	Part     int    // which of the event's messages, from 0
	Type     string
	Time     time.Time
	Data     map[string]any
}

// Position is the place of a message in an organization's events.
func (m Message) Position() string {
	return strconv.FormatInt(m.Sequence, 10) + "." + strconv.Itoa(m.Part)
}

// ParsePosition reads what Position wrote; ok is false for anything else.
func ParsePosition(s string) (sequence int64, part int, ok bool) {
	a, b, _ := strings.Cut(s, ".")
	sequence, err1 := strconv.ParseInt(a, 10, 64)
	part, err2 := strconv.Atoi(b)
	return sequence, part, err1 == nil && err2 == nil && sequence >= 0 && part >= 0
}

// Messages are what receivers are told of an event.
func (e Event) Messages() []Message {
	if e.Type != Objects {
		return []Message{{ID: string(e.ID), Sequence: e.Sequence, Type: e.Type, Time: e.Time, Data: e.Data}}
	}
	list := items(e.Data[List])
	out := make([]Message, 0, len(list))
	for i, o := range list {
		data := maps.Clone(e.Data)
		delete(data, List)
		maps.Copy(data, o)
		what, _ := o[What].(string)
		delete(data, What)
		out = append(out, Message{
			ID: string(e.ID) + "." + strconv.Itoa(i), Sequence: e.Sequence, Part: i, Type: objectPrefix + what, Time: e.Time, Data: data,
		})
	}
	return out
}

// items reads a list of maps, as it was made or as a store gives it back.
func items(v any) (out []map[string]any) {
	list, _ := v.([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// Match reports whether a type is one that a subscription names: itself, all of
// its kind as object.*, or everything, when nothing is named.
func Match(types []string, typ string) bool {
	kind, _, _ := strings.Cut(typ, ".")
	for _, t := range types {
		if t == typ || t == kind+".*" {
			return true
		}
	}
	return len(types) == 0
}
