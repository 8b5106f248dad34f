package csfle

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// Algorithm is how a value is encrypted. Its number is the first byte of the
// sealed value.
type Algorithm byte

// The algorithms of the format.
const (
	// Deterministic seals equal values under one key to equal bytes, so that
	// they can be found by equality, which also tells an onlooker that they
	// are equal.
	Deterministic Algorithm = 1
	// Random seals equal values to different bytes. It takes every type that
	// can be encrypted at all.
	Random Algorithm = 2
)

// String returns the name that MongoDB's drivers use, or "unknown".
func (a Algorithm) String() string {
	switch a {
	case Deterministic:
		return "AEAD_AES_256_CBC_HMAC_SHA_512-Deterministic"
	case Random:
		return "AEAD_AES_256_CBC_HMAC_SHA_512-Random"
	}
	return "unknown"
}

// A sealed value is
//
//	algorithm 1 | data key id 16 | BSON type 1 | IV 16 | ciphertext 16·k | tag 32
//
// The first 18 bytes are the associated data.
const (
	headerSize = 1 + len(KeyID{}) + 1
	minPayload = headerSize + ivSize + blockLen + tagSize
)

// permits reports whether a value of type t may be encrypted with a. subtype
// is that of a binary.
func (a Algorithm) permits(t bson.Type, subtype byte) bool {
	switch t {
	case bson.TypeString, bson.TypeObjectID, bson.TypeDateTime, bson.TypeRegex, bson.TypeDBPointer,
		bson.TypeJavaScript, bson.TypeSymbol, bson.TypeInt32, bson.TypeTimestamp, bson.TypeInt64:
		return a == Random || a == Deterministic
	case bson.TypeBinary:
		return subtype != subtypeEncrypted && (a == Random || a == Deterministic)
	case bson.TypeDouble, bson.TypeBoolean, bson.TypeDecimal128, bson.TypeEmbeddedDocument, bson.TypeArray,
		bson.TypeCodeWithScope:
		return a == Random
	}
	return false
}

func (a Algorithm) permitsValue(t bson.Type, value []byte) bool {
	var subtype byte
	if t == bson.TypeBinary {
		subtype = value[4]
	}
	return a.permits(t, subtype)
}

// dataKey is an unwrapped data key, ready for use from many goroutines.
type dataKey struct {
	id    KeyID
	box   box
	ivKey []byte
}

// newDataKey copies what it needs of the 96 bytes of key.
func newDataKey(id KeyID, key []byte) (*dataKey, error) {
	b, err := newBox(key)
	if err != nil {
		return nil, err
	}
	return &dataKey{id: id, box: b, ivKey: append([]byte(nil), key[64:]...)}, nil
}

func (k *dataKey) seal(alg Algorithm, v bson.RawValue) (bson.Binary, error) {
	const op = "csfle.encrypt"
	if alg != Random && alg != Deterministic {
		return bson.Binary{}, errs.New(errs.Invalid, op, "unknown encryption algorithm")
	}
	if !isOneValue(v.Type, v.Value) {
		return bson.Binary{}, errs.New(errs.Invalid, op, "the value is not one well-formed BSON value of its type")
	}
	if !alg.permitsValue(v.Type, v.Value) {
		return bson.Binary{}, errs.New(errs.Invalid, op, "a value of type "+v.Type.String()+" can't be encrypted with "+alg.String())
	}
	out := make([]byte, headerSize, headerSize+sealedSize(len(v.Value)))
	out[0] = byte(alg)
	copy(out[1:], k.id[:])
	out[headerSize-1] = byte(v.Type)
	iv := randomIV()
	if alg == Deterministic {
		iv = k.deterministicIV(out, v.Value)
	}
	out = k.box.seal(out, iv, v.Value, out[:headerSize])
	return bson.Binary{Subtype: subtypeEncrypted, Data: out}, nil
}

// deterministicIV is the start of HMAC-SHA-512 over associated data, its
// length in bits, and plaintext, in this order; in the tag the length stands last.
func (k *dataKey) deterministicIV(ad, plain []byte) (iv [ivSize]byte) {
	mac := hmac.New(sha512.New, k.ivKey)
	mac.Write(ad)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(ad))*8))
	mac.Write(plain)
	copy(iv[:], mac.Sum(nil))
	return iv
}

// open returns the value of a payload that checkPayload accepted and that
// names this key.
func (k *dataKey) open(payload []byte) (bson.RawValue, error) {
	const op = "csfle.decrypt"
	if KeyID(payload[1:17]) != k.id {
		return bson.RawValue{}, errs.New(errs.Internal, op, "the value was given to another data key than it names")
	}
	plain, err := k.box.open(payload[headerSize:], payload[:headerSize])
	if err != nil {
		return bson.RawValue{}, errs.New(errs.Corrupt, op, "the encrypted value was changed, or its data key was replaced")
	}
	t := bson.Type(payload[headerSize-1])
	if !isOneValue(t, plain) || !Algorithm(payload[0]).permitsValue(t, plain) {
		clear(plain)
		return bson.RawValue{}, errs.New(errs.Corrupt, op, "the decrypted bytes are not a value of the type that was sealed")
	}
	return bson.RawValue{Type: t, Value: plain}, nil
}

// checkPayload makes every check that needs no key.
func checkPayload(v bson.Binary) (KeyID, error) {
	const op = "csfle.decrypt"
	p := v.Data
	switch {
	case v.Subtype != subtypeEncrypted:
		return KeyID{}, errs.New(errs.Corrupt, op, "not an encrypted value: the binary's subtype is not 6")
	case len(p) < minPayload || (len(p)-headerSize)%blockLen != 0:
		return KeyID{}, errs.New(errs.Corrupt, op, "the encrypted value has an impossible length")
	case Algorithm(p[0]) != Random && Algorithm(p[0]) != Deterministic:
		return KeyID{}, errs.New(errs.Corrupt, op, "the encrypted value is of a kind that is not supported")
	case !Algorithm(p[0]).permits(bson.Type(p[headerSize-1]), subtypeGeneric):
		return KeyID{}, errs.New(errs.Corrupt, op, "the encrypted value names a type that can't be encrypted")
	}
	return KeyID(p[1:17]), nil
}

// KeyOf returns the id of the data key that a sealed value names, without
// decrypting it. What it says is not authenticated. A value that can't be a
// sealed one is errs.Corrupt.
func KeyOf(sealed bson.Binary) (KeyID, error) { return checkPayload(sealed) }
