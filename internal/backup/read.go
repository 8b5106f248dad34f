package backup

import (
	"context"
	"io"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
	"mooring/internal/store/raw"
)

// Contents are what an archive holds, once all of it was found whole.
type Contents struct {
	Manifest
	Check csfle.MasterKeyCheck // tells the master key that opens what is sealed
	// Waiting is how many records have events that the store had not handed on.
	Waiting int64

	times     map[raw.Collection]int // that each collection occurs: the last one counts
	outOfTurn map[string]bool        // page records that can't be applied; see turns
}

// Verify reads an archive to its end, checks all its hashes, and returns what
// it holds. It changes nothing.
func Verify(ctx context.Context, in io.Reader, told Progress) (Contents, error) {
	var c Contents
	v := &verifier{told: told, read: map[raw.Collection]Section{}}
	c.times = map[raw.Collection]int{}
	err := scan(ctx, in, func(kind byte, doc bson.Raw) error { return v.frame(&c, kind, doc) })
	if err != nil {
		return Contents{}, err
	}
	for _, s := range c.Sections {
		if v.read[s.Collection] != s {
			return Contents{}, broken("its manifest says something else of " + string(s.Collection))
		}
	}
	if len(c.Sections) == 0 || len(c.Sections) != len(v.read) {
		return Contents{}, broken("its manifest is not of all of it")
	}
	c.outOfTurn = v.turns.broken()
	if c.Check.Fingerprint == "" || c.Check.Fingerprint != c.MasterKey {
		return Contents{}, broken("it does not say which master key it belongs to")
	}
	return c, nil
}

// scan calls visit with each frame of an archive.
func scan(ctx context.Context, in io.Reader, visit func(kind byte, doc bson.Raw) error) error {
	d, err := newDecoder(in)
	if err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		kind, doc, err := d.next()
		if err != nil || kind == frameHash {
			return err
		}
		if err := visit(kind, doc); err != nil {
			return err
		}
	}
}

type verifier struct {
	told  Progress
	begun bool
	in    raw.Collection // "" between collections
	sum   raw.Sum
	read  map[raw.Collection]Section
	turns turns
}

func (v *verifier) frame(c *Contents, kind byte, doc bson.Raw) error {
	if v.begun != (kind != frameHeader) {
		return broken("its parts are out of order")
	}
	switch kind {
	case frameHeader:
		v.begun = true
		return decode(doc, &c.Header)
	case frameCollection:
		return v.begin(c, doc)
	case frameDocument:
		return v.document(c, doc)
	case frameEnd:
		return v.end(doc)
	case frameManifest:
		header := c.Header
		if err := decode(doc, &c.Manifest); err != nil {
			return err
		}
		if c.Header != header || v.in != "" {
			return broken("its manifest is of another backup")
		}
		return nil
	}
	return broken("it holds what no backup holds")
}

func (v *verifier) begin(c *Contents, doc bson.Raw) error {
	var s Section
	if err := decode(doc, &s); err != nil {
		return err
	}
	if v.in != "" || !slices.Contains(raw.Collections, s.Collection) {
		return broken("it holds a collection that there is not")
	}
	v.in, v.sum = s.Collection, raw.Sum{}
	c.times[v.in]++
	return nil
}

func (v *verifier) document(c *Contents, doc bson.Raw) error {
	if v.in == "" {
		return broken("its parts are out of order")
	}
	if err := v.sum.Add(doc); err != nil {
		return broken("a document in it can't be read")
	}
	v.told.tell(v.in, v.sum.N)
	switch v.in {
	case raw.Pages:
		v.turns.page(doc)
	case raw.Shards:
		v.turns.shard(doc)
	}
	if waits(doc) {
		c.Waiting++
	}
	if v.in != raw.Meta {
		return nil
	}
	var f raw.Fact
	if err := bson.Unmarshal(doc, &f); err != nil {
		return broken("a fact in it can't be read")
	}
	if f.Name != masterKeyCheck {
		return nil
	}
	return decode(f.Value, &c.Check)
}

// waits reports whether a record has something in its outbox.
func waits(doc bson.Raw) bool {
	box, ok := doc.Lookup("outbox").DocumentOK()
	if !ok {
		return false
	}
	lists, err := box.Elements()
	for _, l := range lists {
		if a, ok := l.Value().ArrayOK(); ok && len(a) > len(emptyArray) {
			return true
		}
	}
	return err != nil
}

const emptyArray = "\x05\x00\x00\x00\x00"

func (v *verifier) end(doc bson.Raw) error {
	var s Section
	if err := decode(doc, &s); err != nil {
		return err
	}
	if s != (Section{Collection: v.in, Documents: v.sum.N, Hash: v.sum.Hex()}) {
		return broken("the hash of " + string(v.in) + " is another")
	}
	v.read[s.Collection], v.in = s, ""
	return nil
}

// CheckSchema refuses an archive of a store that was written by a newer program.
func (c Contents) CheckSchema(known map[string]int) error {
	schema, there := known[c.Store]
	if !there || c.Schema > schema {
		return errs.New(errs.Conflict, "backup", "the backup was written by a newer Mooring ("+c.Mooring+"): use that one, or a newer one, to restore it")
	}
	return nil
}
