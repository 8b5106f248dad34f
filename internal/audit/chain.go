package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
)

// Chain makes a trail that can't be changed unnoticed: each entry holds an HMAC
// under a key of the process over the entry before it and its own content. Who
// can write to the database but has not the key can't make another one that
// fits. What a chain alone can't show is that its end was cut off, or that all
// of it was put back to an older state: a Head that is kept elsewhere shows that.
//
// It is safe for concurrent use.
type Chain struct{ key []byte }

// NewChain makes a chain. key is secret and at least 32 bytes long.
func NewChain(key []byte) *Chain { return &Chain{slices.Clone(key)} }

// What is authenticated begins with what it is.
const (
	linkDomain       = "mooring audit entry v1"
	checkpointDomain = "mooring audit checkpoint v1"
)

// Link is the MAC of an entry, whose organization and sequence are set, that
// follows the one with the MAC prev; nil for the first of a chain.
func (c *Chain) Link(prev []byte, e Entry) ([]byte, error) {
	e.MAC = nil
	raw, err := bson.Marshal(e)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "audit.chain", "an audit entry can't be written")
	}
	content, err := canonical(nil, raw, true)
	if err != nil {
		return nil, errs.Wrap(err, errs.Corrupt, "audit.chain", "an audit entry can't be read")
	}
	return c.mac(linkDomain, prev, content), nil
}

// mac authenticates parts, each with its length.
func (c *Chain) mac(domain string, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, c.key)
	m.Write([]byte(domain))
	for _, p := range parts {
		m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		m.Write(p)
	}
	return m.Sum(nil)
}

// canonical writes a document with the fields of all maps in order, since maps
// are stored in any.
func canonical(out []byte, doc bson.Raw, sorted bool) ([]byte, error) {
	elements, err := doc.Elements()
	if err != nil {
		return nil, err
	}
	if sorted {
		slices.SortFunc(elements, func(a, b bson.RawElement) int { return strings.Compare(a.Key(), b.Key()) })
	}
	for _, e := range elements {
		v := e.Value()
		out = append(append(out, byte(v.Type)), e.Key()...)
		value := v.Value
		if v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray {
			if value, err = canonical(nil, v.Value, v.Type == bson.TypeEmbeddedDocument); err != nil {
				return nil, err
			}
		}
		out = append(binary.BigEndian.AppendUint64(append(out, 0), uint64(len(value))), value...)
	}
	return out, nil
}

// Head is the end of a chain at some time: kept elsewhere, it shows that nothing
// at or before it has changed since.
type Head struct {
	Sequence int64
	MAC      []byte
	Time     time.Time // of the entry; not needed to compare
}

// String writes a head as SEQUENCE:MAC, the MAC in hex.
func (h Head) String() string {
	return strconv.FormatInt(h.Sequence, 10) + ":" + hex.EncodeToString(h.MAC)
}

// ParseHead reads what String wrote.
func ParseHead(s string) (Head, error) {
	seq, mac, _ := strings.Cut(strings.TrimSpace(s), ":")
	n, err1 := strconv.ParseInt(seq, 10, 64)
	b, err2 := hex.DecodeString(mac)
	if err1 != nil || err2 != nil || n < 1 || len(b) != sha256.Size {
		return Head{}, errs.New(errs.Invalid, "audit.head", "a head is written SEQUENCE:MAC, the MAC as 64 hex digits")
	}
	return Head{Sequence: n, MAC: b}, nil
}

// Checkpoint stands for the entries that retention removed: those up to its
// sequence. It is signed, so that nobody without the key can cut off a trail's
// beginning.
type Checkpoint struct {
	Org      id.Org    `bson:"_id"`
	Sequence int64     `bson:"sequence"` // of the last entry that was removed
	MAC      []byte    `bson:"mac"`      // of that entry
	Time     time.Time `bson:"time"`     // of the removal
	Signed   []byte    `bson:"signed"`
}

// Sign completes a checkpoint.
func (c *Chain) Sign(p Checkpoint) Checkpoint {
	p.Signed = c.mac(checkpointDomain, []byte(p.Org), binary.BigEndian.AppendUint64(nil, uint64(p.Sequence)), p.MAC,
		binary.BigEndian.AppendUint64(nil, uint64(p.Time.UnixMilli())))
	return p
}

// Verifier goes along a trail. Make one with Chain.Verify.
type Verifier struct {
	chain *Chain
	org   id.Org
	head  Head // that was kept elsewhere; zero for none
	met   bool // the head's entry was met, or lies before the checkpoint
	last  Head
	count int64
}

// Verify begins a verification. p is the trail's checkpoint, nil for none; head
// is what was kept elsewhere, zero for nothing.
func (c *Chain) Verify(org id.Org, p *Checkpoint, head Head) (*Verifier, error) {
	v := &Verifier{chain: c, org: org, head: head, met: head.Sequence == 0}
	if p == nil {
		return v, nil
	}
	if p.Org != org || !hmac.Equal(c.Sign(*p).Signed, p.Signed) {
		return nil, broken(p.Sequence, "the checkpoint, which stands for removed entries, was not made by this service or was changed")
	}
	if head.Sequence == p.Sequence && !hmac.Equal(head.MAC, p.MAC) {
		return nil, broken(p.Sequence, "the head is not that of the checkpoint: what was before it has been changed")
	}
	v.last = Head{Sequence: p.Sequence, MAC: p.MAC, Time: p.Time}
	v.met = v.met || head.Sequence <= p.Sequence
	return v, nil
}

// Next takes the next entry, in order of sequence from the first that is there.
// errs.Corrupt says what is wrong with it.
func (v *Verifier) Next(e Entry) error {
	want := v.last.Sequence + 1
	switch {
	case e.Sequence != want:
		return broken(want, "it is missing: entry "+strconv.FormatInt(e.Sequence, 10)+" follows")
	case e.Org != v.org:
		return broken(want, "it belongs to another organization")
	}
	mac, err := v.chain.Link(v.last.MAC, e)
	if err != nil {
		return err
	}
	if !hmac.Equal(mac, e.MAC) {
		return broken(want, "it was changed, moved or put in, or one before it was")
	}
	v.last, v.count = Head{Sequence: e.Sequence, MAC: e.MAC, Time: e.Time}, v.count+1
	if e.Sequence == v.head.Sequence {
		if !bytes.Equal(e.MAC, v.head.MAC) {
			return broken(want, "the head that was kept has another MAC: the trail up to it was changed")
		}
		v.met = true
	}
	return nil
}

// End finishes: it returns the trail's head and how many entries were verified.
// A kept head that was not met is errs.Corrupt: the trail's end was cut off.
func (v *Verifier) End() (Head, int64, error) {
	if !v.met {
		return v.last, v.count, broken(v.head.Sequence, "it is missing: the trail ends with entry "+strconv.FormatInt(v.last.Sequence, 10)+", before the head that was kept")
	}
	return v.last, v.count, nil
}

func broken(sequence int64, what string) error {
	return errs.New(errs.Corrupt, "audit.verify", "the audit trail is broken at entry "+strconv.FormatInt(sequence, 10)+": "+what)
}
