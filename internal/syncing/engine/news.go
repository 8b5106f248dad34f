package engine

import (
	"time"

	"mooring/internal/bucket"
	"mooring/internal/event"
	"mooring/internal/id"
)

// news is what a record tells of objects: duplicates are none.
type news struct{ list []any }

func (n *news) object(o bucket.Object, known bool) {
	if known {
		n.list = append(n.list, event.Object(event.Updated, o))
	} else {
		n.list = append(n.list, event.Object(event.Created, o))
	}
}

func (n *news) gone(o bucket.Object) { n.list = append(n.list, event.Object(event.Deleted, o)) }

// event is the record's one event, or none.
func (n *news) event(r *runner, at time.Time) []event.Event {
	if len(n.list) == 0 {
		return nil
	}
	return []event.Event{{
		ID: id.NewEvent(), Org: r.org, Time: at, Type: event.Objects, Subject: string(r.bucket.ID),
		Data: map[string]any{
			"bucket_id": string(r.bucket.ID), "sync_config_id": string(r.sync.ID), "connection_id": string(r.sync.Connection), "sync_run_id": string(r.run.ID),
			event.List: n.list,
		},
	}}
}
