package backup

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/id"
	"mooring/internal/syncing"
)

// turns finds the page records that lack the one before them. In a store that
// changes while it is read, a record may be met whose predecessor was inserted
// after its place was passed; its shard is read later, but may still stand
// before both. Such a record can never be applied, and what it says happens
// again: the shard's cursor stands before it.
type turns struct {
	pages   map[string][]page // by shard
	applied map[string]int64
}

type page struct {
	id  string
	seq int64
}

func (t *turns) page(doc bson.Raw) {
	if t.pages == nil {
		t.pages, t.applied = map[string][]page{}, map[string]int64{}
	}
	pass, _ := doc.Lookup("pass_id").StringValueOK()
	shard, _ := doc.Lookup("shard").StringValueOK()
	seq, _ := doc.Lookup("seq").AsInt64OK()
	at := syncing.ShardID(id.Pass(pass), shard)
	t.pages[at] = append(t.pages[at], page{idOf(doc), seq})
}

func (t *turns) shard(doc bson.Raw) {
	if _, waits := t.pages[idOf(doc)]; waits {
		t.applied[idOf(doc)], _ = doc.Lookup("applied").AsInt64OK()
	}
}

// broken are the ids of the records that are out of turn. Of a shard that is
// gone all are kept: they are done, and dropped by their redo.
func (t *turns) broken() map[string]bool {
	out := map[string]bool{}
	for shard, pages := range t.pages {
		next, known := t.applied[shard]
		if !known {
			continue
		}
		slices.SortFunc(pages, func(a, b page) int { return int(a.seq - b.seq) })
		for _, p := range pages {
			if p.seq == next+1 {
				next++
			}
			if p.seq > next {
				out[p.id] = true
			}
		}
	}
	return out
}

func idOf(doc bson.Raw) string {
	i, _ := doc.Lookup("_id").StringValueOK()
	return i
}
