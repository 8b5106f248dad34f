// Package key holds the order of source keys. A Key is compared by its raw
// bytes everywhere: in listings, in the catalogue and in the merge of the two.
package key

import (
	"encoding/binary"
	"errors"
	"strings"
)

// Key is the raw bytes of a source item's id. Any byte may occur.
//
// In documents a Key is stored as printable ASCII, so that every store keeps
// the same order and the same prefixes whatever its collation: bytes 0x22 to
// 0x7D stand for themselves, lower ones become "!hh" and higher ones "~hh" with
// two lower-case hex digits. '!' is 0x21 and '~' is 0x7E, so an escape sorts
// where its byte does.
type Key string

const hexDigits = "0123456789abcdef"

// Encode returns the stored form.
func (k Key) Encode() string {
	plain := true
	for i := 0; i < len(k); i++ {
		if k[i] < 0x22 || k[i] > 0x7D {
			plain = false
			break
		}
	}
	if plain {
		return string(k)
	}
	var b strings.Builder
	b.Grow(len(k) + 16)
	for i := 0; i < len(k); i++ {
		c := k[i]
		switch {
		case c < 0x22:
			b.Write([]byte{'!', hexDigits[c>>4], hexDigits[c&15]})
		case c > 0x7D:
			b.Write([]byte{'~', hexDigits[c>>4], hexDigits[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var errEncoding = errors.New("key: not an encoded key")

// Decode is the inverse of Encode. It refuses what Encode does not produce.
func Decode(s string) (Key, error) {
	if strings.IndexFunc(s, func(r rune) bool { return r < 0x22 || r > 0x7D }) < 0 {
		return Key(s), nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '!' && c != '~' {
			if c < 0x22 || c > 0x7D {
				return "", errEncoding
			}
			out = append(out, c)
			continue
		}
		if i+2 >= len(s) {
			return "", errEncoding
		}
		hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if hi < 0 || lo < 0 {
			return "", errEncoding
		}
		b := byte(hi<<4 | lo)
		if (c == '!') != (b < 0x22) || (c == '~') != (b > 0x7D) {
			return "", errEncoding
		}
		out = append(out, b)
		i += 2
	}
	return Key(out), nil
}

const bsonString = 0x02

// MarshalBSONValue stores the encoded form as a BSON string.
func (k Key) MarshalBSONValue() (byte, []byte, error) {
	s := k.Encode()
	out := make([]byte, 4, 5+len(s))
	binary.LittleEndian.PutUint32(out, uint32(len(s)+1))
	return bsonString, append(append(out, s...), 0), nil
}

// UnmarshalBSONValue reads the encoded form.
func (k *Key) UnmarshalBSONValue(typ byte, data []byte) error {
	if typ != bsonString || len(data) < 5 {
		return errEncoding
	}
	d, err := Decode(string(data[4 : len(data)-1]))
	*k = d
	return err
}
