package engine

import (
	"context"
	"slices"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

// heirs follows contents whose first object loses them. A duplicate raises no
// news since its content was told of with the first object; once that changes
// or goes, one of the duplicates takes its place and is told of, or the content
// would be in the bucket with nobody having heard of an object that holds it.
type heirs struct {
	lost []legacy
}

type legacy struct {
	sha   string
	first id.Object
}

// leaves notes that a present object gives its content up.
func (d *draft) leaves(o bucket.Object, sha string) {
	if o.State != bucket.Present || o.DuplicateOf != "" || o.SHA256 == "" || o.SHA256 == sha {
		return
	}
	d.heirs.lost = append(d.heirs.lost, legacy{o.SHA256, o.ID})
	if d.content[o.SHA256] == o.ID {
		delete(d.content, o.SHA256) // a later item of this record is the first again
	}
}

// inherit finds an heir for each content given up that nobody else is first of.
func (d *draft) inherit(ctx context.Context) error {
	for _, l := range d.heirs.lost {
		if _, taken := d.content[l.sha]; taken || d.inheritHere(l) {
			continue
		}
		touched := make([]id.Object, 0, len(d.rec.Put)+len(d.rec.Remove))
		for _, o := range d.rec.Put {
			touched = append(touched, o.ID)
		}
		for _, o := range d.rec.Remove {
			touched = append(touched, o.Object)
		}
		list, err := d.Store.Catalogue().Duplicates(ctx, d.org, d.bucket.ID, l.sha, len(touched)+1)
		if err != nil {
			return err
		}
		for _, o := range list {
			if !slices.Contains(touched, o.ID) {
				d.rec.Promote = append(d.rec.Promote, syncing.Promotion{Object: o.ID, SHA256: l.sha})
				o.Revision = o.NextRevision(d.rec.At)
				d.promote(o)
				break
			}
		}
	}
	return nil
}

// inheritHere looks among the objects of this record: one that was taken for a
// duplicate of the one that left is the first after all.
func (d *draft) inheritHere(l legacy) bool {
	for i, o := range d.rec.Put {
		if o.SHA256 == l.sha && o.State == bucket.Present && o.DuplicateOf == string(l.first) {
			d.rec.Put[i].DuplicateOf = ""
			d.rec.Ledger.Duplicate--
			d.rec.Ledger.Synced++
			d.promote(o)
			return true
		}
	}
	return false
}

func (d *draft) promote(o bucket.Object) {
	d.content[o.SHA256] = o.ID
	d.news.promoted(o)
}

// applyPromotions does what inherit decided, to objects that still are what
// they were then.
func (r *runner) applyPromotions(ctx context.Context, rec *syncing.Record) error {
	for _, p := range rec.Promote {
		_, err := r.Store.Catalogue().Update(ctx, r.org, rec.Bucket, p.Object, func(o *bucket.Object) error {
			if o.State == bucket.Present && o.SHA256 == p.SHA256 && o.DuplicateOf != "" {
				o.DuplicateOf, o.UpdatedAt, o.Revision = "", rec.At, o.NextRevision(rec.At)
			}
			return nil
		})
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}
