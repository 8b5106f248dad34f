package engine

import (
	"time"

	"mooring/internal/event"
	"mooring/internal/id"
)

// news is what a record tells of objects: duplicates are none.
type news struct {
	added, changed, removed []id.Object
}

func (n *news) object(o id.Object, known bool) {
	if known {
		n.changed = append(n.changed, o)
	} else {
		n.added = append(n.added, o)
	}
}

func (n *news) gone(o id.Object) { n.removed = append(n.removed, o) }

// event is the record's one event, or none. Counts are complete; of the ids a
// limited number is listed.
func (n *news) event(r *runner, at time.Time) []event.Event {
	if len(n.added)+len(n.changed)+len(n.removed) == 0 {
		return nil
	}
	left := r.limits.EventObjects
	list := func(ids []id.Object) []any {
		out := []any{}
		for _, o := range ids[:min(len(ids), left)] {
			out = append(out, string(o))
		}
		left -= len(out)
		return out
	}
	return []event.Event{{
		ID: id.NewEvent(), Org: r.org, Time: at, Type: event.ObjectsChanged, Subject: string(r.bucket.ID),
		Data: map[string]any{
			"bucket_id": string(r.bucket.ID), "sync_config_id": string(r.sync.ID), "connection_id": string(r.sync.Connection), "sync_run_id": string(r.run.ID),
			"created_count": len(n.added), "updated_count": len(n.changed), "deleted_count": len(n.removed),
			"created": list(n.added), "updated": list(n.changed), "deleted": list(n.removed),
		},
	}}
}
