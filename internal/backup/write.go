package backup

import (
	"context"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
	"mooring/internal/store/raw"
)

// masterKeyCheck is the fact that tells which master key a store has.
const masterKeyCheck = "master_key_check"

// Progress is told how many documents of a collection have been dealt with.
type Progress func(c raw.Collection, n int64)

// Write writes an archive of a store. The store may be in use: see design 0009
// for what is then in it. The file is worth nothing before Write has returned.
func Write(ctx context.Context, src raw.Source, out io.Writer, mooring string, now time.Time, told Progress) (Manifest, error) {
	check, err := ReadCheck(ctx, src)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Header: Header{
		Mooring: mooring, CreatedAt: now.UTC().Truncate(time.Millisecond), Store: src.Kind(), Schema: src.Schema(), Frozen: src.Frozen(), MasterKey: check.Fingerprint,
	}}
	enc, err := newEncoder(out)
	if err != nil {
		return m, unwritten(err)
	}
	if err := enc.value(frameHeader, m.Header); err != nil {
		return m, unwritten(err)
	}
	w := &writer{src: src, enc: enc, told: told, trail: trail{}}
	for _, c := range raw.Collections {
		s, err := w.collection(ctx, c)
		if err != nil {
			return m, err
		}
		m.Sections = append(m.Sections, s)
	}
	if err := enc.value(frameManifest, m); err != nil {
		return m, unwritten(err)
	}
	return m, unwritten(enc.close())
}

// ReadCheck reads what tells which master key a store has.
func ReadCheck(ctx context.Context, src raw.Source) (check csfle.MasterKeyCheck, err error) {
	found := false
	err = src.Each(ctx, raw.Meta, func(d bson.Raw) error {
		var f raw.Fact
		if err := bson.Unmarshal(d, &f); err != nil || f.Name != masterKeyCheck {
			return err
		}
		found = true
		return bson.Unmarshal(f.Value, &check)
	})
	if err == nil && !found {
		err = errs.New(errs.Conflict, "backup", "the store is empty: nothing was ever kept in it")
	}
	return check, err
}

func unwritten(err error) error {
	return errs.Wrap(err, errs.Unavailable, "backup", "the backup can't be written")
}

type writer struct {
	src   raw.Source
	enc   *encoder
	told  Progress
	trail trail
}

// attempts bounds how often a collection is read anew in which a name has moved
// from one document to another while it was read.
const attempts = 10

// collection writes a collection. Names are unique, but in one that changes
// while it is read two documents may have had the same one, each at its time:
// then it is read anew, and the last one counts.
func (w *writer) collection(ctx context.Context, c raw.Collection) (Section, error) {
	for range attempts {
		s, whole, err := w.section(ctx, c)
		if err != nil || whole {
			return s, err
		}
	}
	return Section{}, errs.New(errs.Unavailable, "backup", "the names in "+string(c)+" change faster than they can be read: try again")
}

func (w *writer) section(ctx context.Context, c raw.Collection) (s Section, whole bool, err error) {
	if err := w.enc.value(frameCollection, Section{Collection: c}); err != nil {
		return s, false, unwritten(err)
	}
	var sum raw.Sum
	names := unique{of: uniqueIn[c], met: map[[keyBytes]byte]bool{}}
	err = w.src.Each(ctx, c, func(d bson.Raw) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !w.src.Frozen() {
			names.note(d)
			if d, err = w.trail.settle(c, d); err != nil || d == nil {
				return err
			}
		}
		if err := sum.Add(d); err != nil {
			return err
		}
		if err := w.enc.frame(frameDocument, d); err != nil {
			return unwritten(err)
		}
		w.told.tell(c, sum.N)
		return nil
	})
	if err != nil {
		return s, false, err
	}
	s = Section{Collection: c, Documents: sum.N, Hash: sum.Hex()}
	return s, !names.twice, unwritten(w.enc.value(frameEnd, s))
}

// tellEvery is how many documents pass between two reports.
const tellEvery = 10_000

func (told Progress) tell(c raw.Collection, n int64) {
	if told != nil && n%tellEvery == 0 {
		told(c, n)
	}
}
