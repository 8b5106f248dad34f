// Package event is what happened, told outwards: its names and form. Events are
// numbered within their organization, without gaps, when the store takes them.
package event

import (
	"time"

	"mooring/internal/id"
)

// Types.
const (
	ObjectsChanged      = "bucket.objects.changed" // one for each page record: what arrived, changed, moved or went
	RunFinished         = "sync.run.finished"
	SyncFailed          = "sync.failed"
	ConnectionFailed    = "connection.failed"
	ConnectionSuspended = "connection.suspended"
	ConnectionRecovered = "connection.recovered"
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
