package s3

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
)

// place is a scope's path.
type place struct {
	bucket string
	base   string // how the keys below begin: "" or "prefix/"
	exact  string // a key that belongs too, "" when there is none
}

// A bucket's name becomes part of a host name: no more than this may.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$`)

func placeOf(op, path string) (place, error) {
	bucket, prefix, _ := strings.Cut(path, "/")
	if !bucketName.MatchString(bucket) || strings.Contains(bucket, "..") {
		return place{}, target{op: op}.failure(errs.Invalid, errs.ScopePath, "InvalidBucketName", "the path does not begin with the name of a bucket: write bucket or bucket/prefix")
	}
	p := place{bucket: bucket, base: prefix}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		p.base, p.exact = prefix+"/", prefix
	}
	return p, nil
}

func (p place) has(k string) bool {
	return strings.HasPrefix(k, p.base) || p.exact != "" && k == p.exact
}

// directory says whether the bucket is a directory bucket (S3 Express), which
// is listed in no order and from the beginning only.
func (p place) directory() bool { return strings.HasSuffix(p.bucket, "--x-s3") }

// span is a half-open range of keys.
type span struct {
	from, to string
	end      bool // to counts; else there is no upper bound
}

// spanOf returns the range of a scope's keys. Ids of other buckets bound it too.
func (p place) spanOf(s driver.Scope) span {
	root := key.Key(p.bucket + "/")
	var out span
	if s.From > root {
		if k, ok := strings.CutPrefix(string(s.From), string(root)); ok {
			out.from = k
		} else {
			out.end = true // everything of the bucket is below From
		}
	}
	if s.To != "" {
		if k, ok := strings.CutPrefix(string(s.To), string(root)); ok {
			out.to, out.end = k, true
		} else if s.To < root {
			out.end = true
		}
	}
	return out
}

func (s span) has(k string) bool { return k >= s.from && (!s.end || k < s.to) }

// keyOf takes an id apart.
func keyOf(op, id string) (bucket, k string, err error) {
	bucket, k, ok := strings.Cut(id, "/")
	if !ok || k == "" || !bucketName.MatchString(bucket) {
		return "", "", target{op: op}.failure(errs.NotFound, errs.ScopeObject, "NoSuchKey", "this is not the id of an object")
	}
	return bucket, k, nil
}

// maxRune is the last of the characters: nothing sorts behind it but what begins with it.
const maxRune = "\U0010FFFF"

// longest is how long a StartAfter may be, in bytes.
const longest = 1024

// before returns a StartAfter for a listing from k on, k included: a text below
// k with as little as possible between. What is between must be left out by the
// caller. It is valid UTF-8 where k is, since servers refuse others.
func before(k string) string {
	if k == "" {
		return ""
	}
	if strings.HasSuffix(k, "\x00") {
		return k[:len(k)-1] // its predecessor
	}
	r, n := utf8.DecodeLastRuneInString(k)
	head := k[:len(k)-n]
	if r == utf8.RuneError && n <= 1 {
		return head
	}
	switch r--; {
	case r == 0xDFFF:
		r = 0xD7FF
	case r < ' ': // no control characters in a query
		return head
	}
	if out := head + string(r) + maxRune; len(out) <= longest {
		return out
	}
	return head
}
