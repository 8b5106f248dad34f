package csfle

import (
	"bytes"
	"encoding/binary"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxNesting is how deep documents may be nested, as in libbson.
const maxNesting = 1000

// valueSize returns how many bytes the BSON value of type t at the start of b
// takes, or -1 when there is no well-formed one. It descends into documents
// and arrays, which the driver's own Validate does not, and checks what libbson
// checks: lengths, terminators, known types, booleans of 0 or 1. Text is not
// checked to be UTF-8.
func valueSize(t bson.Type, b []byte) int { return sizeOf(t, b, maxNesting) }

// isOneValue reports whether b is exactly one well-formed value of type t.
func isOneValue(t bson.Type, b []byte) bool {
	n := valueSize(t, b)
	return n >= 0 && n == len(b)
}

func sizeOf(t bson.Type, b []byte, depth int) int {
	switch t {
	case bson.TypeNull, bson.TypeUndefined, bson.TypeMinKey, bson.TypeMaxKey:
		return 0
	case bson.TypeBoolean:
		if len(b) > 0 && b[0] <= 1 {
			return 1
		}
		return -1
	case bson.TypeInt32:
		return fixed(b, 4)
	case bson.TypeDouble, bson.TypeDateTime, bson.TypeTimestamp, bson.TypeInt64:
		return fixed(b, 8)
	case bson.TypeObjectID:
		return fixed(b, 12)
	case bson.TypeDecimal128:
		return fixed(b, 16)
	case bson.TypeString, bson.TypeJavaScript, bson.TypeSymbol:
		return stringSize(b)
	case bson.TypeDBPointer:
		return sequence(b, stringSize, func(b []byte) int { return fixed(b, 12) })
	case bson.TypeRegex:
		return sequence(b, cstringSize, cstringSize)
	case bson.TypeBinary:
		return binarySize(b)
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		return documentSize(b, depth)
	case bson.TypeCodeWithScope:
		return codeWithScopeSize(b, depth)
	}
	return -1
}

func fixed(b []byte, n int) int {
	if len(b) < n {
		return -1
	}
	return n
}

// sequence is the size of one part directly after another.
func sequence(b []byte, first, second func([]byte) int) int {
	n := first(b)
	if n < 0 {
		return -1
	}
	m := second(b[n:])
	if m < 0 {
		return -1
	}
	return n + m
}

// length reads the int32 that starts b; ok is false when it is missing or
// when fewer than extra+length bytes are there in all.
func length(b []byte, extra int) (n int, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	n = int(int32(binary.LittleEndian.Uint32(b)))
	return n, n >= 0 && n <= len(b)-extra
}

func stringSize(b []byte) int {
	n, ok := length(b, 4)
	if !ok || n < 1 || b[4+n-1] != 0 {
		return -1
	}
	return 4 + n
}

func cstringSize(b []byte) int {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return -1
	}
	return i + 1
}

func binarySize(b []byte) int {
	n, ok := length(b, 5)
	if !ok {
		return -1
	}
	if b[4] == bson.TypeBinaryBinaryOld { // a second length stands inside the first
		inner, ok := length(b[5:5+n], 4)
		if !ok || inner != n-4 {
			return -1
		}
	}
	return 5 + n
}

func documentSize(b []byte, depth int) int {
	n, ok := length(b, 0)
	if !ok || n < 5 || b[n-1] != 0 || depth == 0 {
		return -1
	}
	for rest := b[4 : n-1]; len(rest) > 0; {
		key := cstringSize(rest[1:])
		if key < 0 {
			return -1
		}
		size := sizeOf(bson.Type(rest[0]), rest[1+key:], depth-1)
		if size < 0 {
			return -1
		}
		rest = rest[1+key+size:]
	}
	return n
}

func codeWithScopeSize(b []byte, depth int) int {
	n, ok := length(b, 0)
	if !ok || n < 4 || depth == 0 {
		return -1
	}
	inner := sequence(b[4:n], stringSize, func(b []byte) int { return documentSize(b, depth-1) })
	if inner != n-4 {
		return -1
	}
	return n
}
