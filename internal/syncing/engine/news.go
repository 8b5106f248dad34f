package engine

import (
	"maps"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/event"
	"mooring/internal/id"
)

// news is what a record tells of objects: duplicates are none.
type news struct{ list []any }

func (n *news) object(o bucket.Object, known bool) {
	if known {
		n.list = append(n.list, o.Told(event.Updated))
	} else {
		n.list = append(n.list, o.Told(event.Created))
	}
}

// promoted tells of a duplicate that is the first now; another sync may have brought it.
func (n *news) promoted(o bucket.Object) { n.list = append(n.list, o.ToldAlone(event.Updated)) }

func (n *news) gone(o bucket.Object) { n.list = append(n.list, o.Told(event.Deleted)) }

// events are those of the record: none when it changes no object, one that
// stands for all objects, and before the first of a run that the run began.
func (n *news) events(r *runner, at time.Time) (out []event.Event) {
	if len(n.list) == 0 {
		return nil
	}
	tell := func(typ, subject string, more map[string]any) {
		data := map[string]any{
			"bucket_id": string(r.bucket.ID), "sync_config_id": string(r.sync.ID), "connection_id": string(r.sync.Connection), "sync_run_id": string(r.run.ID),
		}
		maps.Copy(data, more)
		out = append(out, event.Event{ID: id.NewEvent(), Org: r.org, Time: at, Type: typ, Subject: subject, Data: data})
	}
	if !r.told {
		r.told = true
		tell(event.SyncStarted, string(r.sync.ID), map[string]any{"started_at": r.run.StartedAt})
	}
	tell(event.Objects, string(r.bucket.ID), map[string]any{event.List: n.list})
	return out
}
