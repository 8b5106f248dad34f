package backup

import (
	"context"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/store/raw"
)

// Restore puts the documents of an archive that Verify has found whole into a
// store that holds nothing else, and compares what the store then has. in is
// the archive from its beginning.
func Restore(ctx context.Context, in io.Reader, c Contents, to raw.Target, told Progress) error {
	if c.Waiting > 0 && to.Kind() != c.Store {
		return errs.New(errs.Conflict, "restore", "the backup was taken while events waited to be handed on, which only a store of the kind "+c.Store+
			" goes on with: back up while no Mooring runs")
	}
	left := map[raw.Collection]int{}
	for collection, n := range c.times {
		left[collection] = n
	}
	sums := map[raw.Collection]*raw.Sum{}
	p := &putter{to: to, told: told}
	err := scan(ctx, in, func(kind byte, doc bson.Raw) error {
		switch kind {
		case frameHeader:
			var h Header
			if err := decode(doc, &h); err != nil || h != c.Header {
				return errs.New(errs.Conflict, "restore", "the backup is another one than was read before")
			}
		case frameCollection:
			var s Section
			if err := decode(doc, &s); err != nil {
				return err
			}
			left[s.Collection]--
			p.begin(s.Collection, left[s.Collection] > 0)
		case frameDocument:
			if p.in == raw.Pages && c.outOfTurn[idOf(doc)] {
				return nil
			}
			return p.add(ctx, doc)
		case frameEnd:
			sum := p.sum
			sums[p.in] = &sum
			return p.flush(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for collection, sum := range sums {
		if err := compare(ctx, to, collection, sum); err != nil {
			return err
		}
	}
	return nil
}

// compare reads a collection back.
func compare(ctx context.Context, to raw.Source, c raw.Collection, want *raw.Sum) error {
	got, err := measure(ctx, to, c)
	if err == nil && !got.Equal(want) {
		err = errs.New(errs.Corrupt, "backup", "the store does not give back what was put into "+string(c))
	}
	return err
}

// measure is the sum of a collection.
func measure(ctx context.Context, s raw.Source, c raw.Collection) (*raw.Sum, error) {
	var sum raw.Sum
	return &sum, s.Each(ctx, c, sum.Add)
}

// Bounds of what is put at once.
const (
	putDocuments = 500
	putBytes     = 4 << 20
)

// putter puts documents in bounded parts.
type putter struct {
	to    raw.Target
	told  Progress
	in    raw.Collection
	skip  bool
	sum   raw.Sum
	part  []bson.Raw
	bytes int
}

func (p *putter) begin(c raw.Collection, skip bool) {
	p.in, p.skip, p.sum = c, skip, raw.Sum{}
}

func (p *putter) add(ctx context.Context, doc bson.Raw) error {
	if p.skip {
		return nil
	}
	if err := p.sum.Add(doc); err != nil {
		return err
	}
	p.part, p.bytes = append(p.part, append(bson.Raw{}, doc...)), p.bytes+len(doc)
	p.told.tell(p.in, p.sum.N)
	if len(p.part) < putDocuments && p.bytes < putBytes {
		return nil
	}
	return p.flush(ctx)
}

func (p *putter) flush(ctx context.Context) error {
	part := p.part
	p.part, p.bytes = nil, 0
	if len(part) == 0 {
		return nil
	}
	return p.to.Put(ctx, p.in, part)
}
