package backup

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/id"
	"mooring/internal/store/raw"
)

// trail is the number of the last audit entry of each organization that was
// read. Entries that were numbered after that are not in the backup, so their
// numbers are given again: a trail has no gaps.
type trail map[id.Org]int64

const auditSequence = "audit"

// settle returns a document as it goes into the backup; nil for none.
func (t trail) settle(c raw.Collection, d bson.Raw) (bson.Raw, error) {
	switch c {
	case raw.Audit:
		org, _ := d.Lookup("internal_id").StringValueOK()
		t[id.Org(org)], _ = d.Lookup("sequence").AsInt64OK()
	case raw.Sequences:
		var q raw.Sequence
		if err := bson.Unmarshal(d, &q); err != nil {
			return nil, broken("a sequence can't be read")
		}
		if q.Name != auditSequence || q.Last == t[q.Org] {
			return d, nil
		}
		if q.Last = t[q.Org]; q.Last == 0 {
			return nil, nil
		}
		return bson.Marshal(q)
	}
	return d, nil
}
