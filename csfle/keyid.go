package csfle

import (
	"crypto/rand"
	"encoding/hex"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// BSON binary subtypes of the format.
const (
	subtypeGeneric   = bson.TypeBinaryGeneric   // 0x00: keyMaterial, use
	subtypeUUID      = bson.TypeBinaryUUID      // 0x04: _id of a data key
	subtypeEncrypted = bson.TypeBinaryEncrypted // 0x06: a sealed value
)

// KeyID names a data key: the 16 bytes of the UUID that is the _id of its
// document. In BSON it is a binary of subtype 4, in text and JSON a UUID.
type KeyID [16]byte

// newKeyID returns a random UUID, version 4.
func newKeyID() KeyID {
	var id KeyID
	_, _ = rand.Read(id[:]) // never fails: it aborts the process instead
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// String returns the UUID as 8-4-4-4-12 lower-case hexadecimal digits.
func (id KeyID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// ParseKeyID is the inverse of String. Upper-case digits are accepted; any
// other form is errs.Invalid.
func ParseKeyID(s string) (KeyID, error) {
	var id KeyID
	bad := errs.New(errs.Invalid, "csfle.parse_key_id", "a data key id must be a UUID")
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return KeyID{}, bad
	}
	digits := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return KeyID{}, bad
	}
	return id, nil
}

// MarshalText returns the UUID's text.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText accepts what ParseKeyID accepts.
func (id *KeyID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseKeyID(string(b))
	return err
}

// MarshalBSONValue returns a binary of subtype 4.
func (id KeyID) MarshalBSONValue() (byte, []byte, error) {
	t, b, err := bson.MarshalValue(id.binary())
	return byte(t), b, err
}

// UnmarshalBSONValue accepts a binary of subtype 4 and 16 bytes and nothing else.
func (id *KeyID) UnmarshalBSONValue(t byte, b []byte) error {
	got, ok := keyIDFrom(bson.RawValue{Type: bson.Type(t), Value: b})
	if !ok {
		return errs.New(errs.Corrupt, "csfle.parse_key_id", "a data key id must be a BSON binary of subtype 4 and 16 bytes")
	}
	*id = got
	return nil
}

func (id KeyID) binary() bson.Binary { return bson.Binary{Subtype: subtypeUUID, Data: id[:]} }

func keyIDFrom(v bson.RawValue) (KeyID, bool) {
	if valueSize(v.Type, v.Value) != len(v.Value) {
		return KeyID{}, false
	}
	subtype, b, ok := v.BinaryOK()
	if !ok || subtype != subtypeUUID || len(b) != len(KeyID{}) {
		return KeyID{}, false
	}
	return KeyID(b), true
}
