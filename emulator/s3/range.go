package s3

import (
	"fmt"
	"strconv"
	"strings"
)

// span is a part of an object.
type span struct{ off, n int64 }

func (s span) header(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", s.off, s.off+s.n-1, size)
}

// parseRange reads a Range header for an object of a size. Like S3 it answers in
// full what it can't read and what names several ranges.
func parseRange(header string, size int64) (s span, partial bool, err error) {
	whole := span{0, size}
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return whole, false, nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return whole, false, nil
	}
	if first == "" {
		return suffixRange(last, size)
	}
	from, ok := number(first)
	if !ok {
		return whole, false, nil
	}
	to := max(size-1, 0)
	if last != "" {
		n, ok := number(last)
		if !ok || n < from {
			return whole, false, nil
		}
		to = min(n, to)
	}
	if from >= size {
		return whole, false, unsatisfiable(header, size)
	}
	return span{from, to - from + 1}, true, nil
}

// suffixRange is the last n bytes.
func suffixRange(last string, size int64) (span, bool, error) {
	n, ok := number(last)
	if !ok {
		return span{0, size}, false, nil
	}
	if n == 0 || size == 0 {
		return span{}, false, unsatisfiable("bytes=-"+last, size)
	}
	length := min(n, size)
	return span{size - length, length}, true, nil
}

// number reads digits, without a sign.
func number(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil
}

func unsatisfiable(header string, size int64) *Error {
	return failure("InvalidRange",
		Element{"RangeRequested", header},
		Element{"ActualObjectSize", strconv.FormatInt(size, 10)})
}
