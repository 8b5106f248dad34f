// Package paging is what every store's lists share: the limits of a page and
// the opaque cursor that stands for the position after it.
package paging

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/store"
)

// MaxLimit and DefaultLimit are those of store.Page.
const (
	MaxLimit     = 1000
	DefaultLimit = 10
)

const version = 1

// List names a list that cursors belong to: its collection, organization,
// parents and order. A cursor of another list is refused.
func List(parts ...string) string { return strings.Join(parts, "\x00") }

// Limit checks a page and returns how many items it asks for.
func Limit(p store.Page) (int, error) {
	switch {
	case p.Limit < 0 || p.Limit > MaxLimit:
		return 0, errs.New(errs.Invalid, "store.list", "limit must be 1 to 1000")
	case p.Offset < 0:
		return 0, errs.New(errs.Invalid, "store.list", "offset must not be negative")
	case p.Limit == 0:
		return DefaultLimit, nil
	}
	return p.Limit, nil
}

type position struct {
	Version int    `bson:"v"`
	At      bson.A `bson:"p"` // int64 and string values
}

// Cursor makes the cursor of a position in a list: int64 and string values.
func Cursor(list string, at ...any) (string, error) {
	b, err := bson.Marshal(position{version, at})
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "store.list", "the cursor can't be written")
	}
	return base64.RawURLEncoding.EncodeToString(append(sum(list, b), b...)), nil
}

// Position is the inverse of Cursor. What Cursor did not make for this list
// is errs.Invalid. like has the types that the position must have.
func Position(list, cursor string, like ...any) ([]any, error) {
	bad := errs.New(errs.Invalid, "store.list", "the cursor is damaged or belongs to another list: start again without one")
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) <= sumBytes || strings.ContainsAny(cursor, "\r\n") { // which the decoder skips
		return nil, bad
	}
	if subtle.ConstantTimeCompare(b[:sumBytes], sum(list, b[sumBytes:])) != 1 {
		return nil, bad
	}
	var p position
	if err := bson.Unmarshal(b[sumBytes:], &p); err != nil || p.Version != version || len(p.At) != len(like) {
		return nil, bad
	}
	for i := range like {
		if !sameType(like[i], p.At[i]) {
			return nil, bad
		}
	}
	return p.At, nil
}

func sameType(a, b any) bool {
	switch a.(type) {
	case int64:
		_, ok := b.(int64)
		return ok
	case string:
		_, ok := b.(string)
		return ok
	}
	return false
}

const sumBytes = 12

// sum finds damage and mistakes; there is no secret in it, and none is needed:
// a position reaches nothing that its list does not show.
func sum(list string, b []byte) []byte {
	h := sha256.New()
	h.Write([]byte(list))
	h.Write([]byte{0, 0})
	h.Write(b)
	return h.Sum(nil)[:sumBytes:sumBytes]
}
