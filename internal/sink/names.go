package sink

import (
	"strings"

	"mooring/internal/bucket"
	"mooring/internal/errs"
)

// maxStaged is the longest staging name, in bytes.
const maxStaged = 100

// CheckName refuses, as errs.Invalid, what is no name of a file: empty,
// absolute, unclean, climbing, or the system's own. Every Sink calls it first,
// so that no fault elsewhere can reach outside of a bucket's part.
func CheckName(op, name string) error {
	if strings.ContainsRune(name, 0) {
		return refused(op, name)
	}
	for c := range strings.SplitSeq(name, "/") {
		if c == "" || c == "." || c == ".." || bucket.SystemName(c) {
			return refused(op, name)
		}
	}
	return nil
}

// CheckStaged refuses, as errs.Invalid, what is no staging name.
func CheckStaged(op, staged string) error {
	if staged == "" || len(staged) > maxStaged || staged == "." || staged == ".." {
		return refused(op, staged)
	}
	for i := range len(staged) {
		c := staged[i]
		if ('a' > c || c > 'z') && ('0' > c || c > '9') && c != '.' && c != '_' && c != '-' {
			return refused(op, staged)
		}
	}
	return nil
}

func refused(op, name string) error {
	const most = 200
	if len(name) > most {
		name = name[:most] + "…"
	}
	return errs.New(errs.Invalid, op, "\""+strings.ToValidUTF8(name, "\uFFFD")+"\" can't be a name in a destination")
}

// CheckBucket refuses, as errs.Invalid, a bucket whose ids can't be folders.
func CheckBucket(op string, b bucket.Bucket) error {
	for _, part := range []string{string(b.Org), string(b.ID)} {
		if part == "" || len(part) > maxStaged {
			return refused(op, part)
		}
		for i := range len(part) {
			c := part[i]
			if ('a' > c || c > 'z') && ('0' > c || c > '9') && c != '_' && c != '-' {
				return refused(op, part)
			}
		}
	}
	return nil
}
