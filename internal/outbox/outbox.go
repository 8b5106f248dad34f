// Package outbox is what waits inside a record to be told: audit entries and
// events that belong to it are written in the same update, so that neither
// exists without the other. A store moves them on from there and clears them;
// no reader of a record sees its outbox filled.
package outbox

import (
	"time"

	"mooring/internal/audit"
	"mooring/internal/event"
	"mooring/internal/id"
)

// Outbox is embedded in records as a field named Outbox. Ids are given here,
// organization and sequence by the store.
type Outbox struct {
	Audit  []audit.Entry `bson:"audit,omitempty"`
	Events []event.Event `bson:"events,omitempty"`
}

// Note adds an audit entry. Changes must hold no secret.
func (o *Outbox) Note(at time.Time, by audit.Actor, action, resourceType, resourceID string, success bool, changes map[string]any) {
	o.Audit = append(o.Audit, audit.Entry{
		ID: id.NewAudit(), Time: cut(at), ResourceType: resourceType, ResourceID: resourceID,
		Action: action, Actor: by, Success: success, Changes: changes,
	})
}

// Raise adds an event. Data must hold no secret.
func (o *Outbox) Raise(at time.Time, typ, subject string, data map[string]any) {
	o.Events = append(o.Events, event.Event{ID: id.NewEvent(), Time: cut(at), Type: typ, Subject: subject, Data: data})
}

// Empty reports whether nothing waits.
func (o *Outbox) Empty() bool { return len(o.Audit) == 0 && len(o.Events) == 0 }

func cut(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
