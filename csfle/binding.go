package csfle

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
)

// Binding says where a sealed secret belongs and for what it may be used. It
// is sealed together with the secret, and a Sealer opens the secret only for
// the same Binding. It is not secret itself.
type Binding struct {
	Org    id.Org // the organization, which also owns the data key
	Record string // the id of the record that holds the secret
	Field  string // the field's path in the record, e.g. "provider_config.secret_access_key"
	Use    []byte // a UseDigest of what decides where and as whom the secret is used
}

// UseDigest digests the fields that decide where and as whom a secret is used
// (endpoint, account, user, …), names and values alike, in an order that the
// caller keeps. It is SHA-256 (32 bytes) over an encoding in which no two
// different lists are equal, domain separated. Without fields it is the digest
// of the empty list, for secrets whose use nothing decides.
func UseDigest(fields ...string) []byte {
	h := sha256.New()
	h.Write([]byte("mooring/csfle use v1\x00"))
	writeLen := func(n int) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	writeLen(len(fields))
	for _, f := range fields {
		writeLen(len(f))
		h.Write([]byte(f))
	}
	return h.Sum(nil)
}

func (b Binding) check(op string) error {
	if err := checkOrg(op, b.Org); err != nil {
		return err
	}
	if b.Record == "" || b.Field == "" || !utf8.ValidString(b.Record) || !utf8.ValidString(b.Field) {
		return errs.New(errs.Invalid, op, "a binding must name a record and a field")
	}
	if len(b.Use) != sha256.Size {
		return errs.New(errs.Invalid, op, "a binding's use must be a UseDigest")
	}
	return nil
}

// checkOrg makes sure that "<org>/" is the prefix of this organization's keys
// and of nobody else's.
func checkOrg(op string, org id.Org) error {
	if strings.Contains(string(org), "/") || CheckAltName(string(org)) != nil {
		return errs.New(errs.Invalid, op, "not an organization's id: "+quoteShort(string(org)))
	}
	return nil
}

// encode writes the document {org, record, field, use, value} that is sealed,
// into memory that the caller wipes: the driver's encoder would leave copies
// of the secret in its pooled buffers.
func (b Binding) encode(value string) []byte {
	const overhead = 4 + 5*(1+1+4+1) + len("orgrecordfieldusevalue") + 1 // exact: growing would leave a copy
	doc := make([]byte, 4, overhead+len(b.Org)+len(b.Record)+len(b.Field)+len(b.Use)+len(value))
	str := func(key, s string) {
		doc = append(doc, byte(bson.TypeString))
		doc = append(append(doc, key...), 0)
		doc = binary.LittleEndian.AppendUint32(doc, uint32(len(s)+1))
		doc = append(append(doc, s...), 0)
	}
	str("org", string(b.Org))
	str("record", b.Record)
	str("field", b.Field)
	doc = append(doc, byte(bson.TypeBinary))
	doc = append(doc, "use\x00"...)
	doc = binary.LittleEndian.AppendUint32(doc, uint32(len(b.Use)))
	doc = append(append(doc, subtypeGeneric), b.Use...)
	str("value", value)
	doc = append(doc, 0)
	binary.LittleEndian.PutUint32(doc, uint32(len(doc)))
	return doc
}

var boundFields = [...]struct {
	name string
	typ  bson.Type
}{
	{"org", bson.TypeString}, {"record", bson.TypeString}, {"field", bson.TypeString},
	{"use", bson.TypeBinary}, {"value", bson.TypeString},
}

// decode is the inverse of encode for a well-formed document; it accepts
// exactly what encode writes.
func decode(doc bson.Raw) (b Binding, value string, ok bool) {
	elements, err := doc.Elements()
	if err != nil || len(elements) != len(boundFields) {
		return Binding{}, "", false
	}
	var v [len(boundFields)]bson.RawValue
	for i, e := range elements {
		if v[i] = e.Value(); e.Key() != boundFields[i].name || v[i].Type != boundFields[i].typ {
			return Binding{}, "", false
		}
	}
	subtype, use := v[3].Binary()
	if subtype != subtypeGeneric {
		return Binding{}, "", false
	}
	b = Binding{Org: id.Org(v[0].StringValue()), Record: v[1].StringValue(), Field: v[2].StringValue(), Use: use}
	return b, v[4].StringValue(), true
}

// mismatch compares what was sealed with what is expected, all of it whatever
// differs first, and names what differs, but no value.
func (b Binding) mismatch(expected Binding) string {
	var differs []string
	compare := func(name string, got, want []byte) {
		if subtle.ConstantTimeCompare(got, want) != 1 {
			differs = append(differs, name)
		}
	}
	compare("org", []byte(b.Org), []byte(expected.Org))
	compare("record", []byte(b.Record), []byte(expected.Record))
	compare("field", []byte(b.Field), []byte(expected.Field))
	compare("use", b.Use, expected.Use)
	return strings.Join(differs, ", ")
}
