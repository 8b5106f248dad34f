package paging_test

import (
	"testing"

	"mooring/internal/errs"
	"mooring/internal/store/internal/paging"
)

// FuzzPosition: a cursor that a client made up is refused, and one that is taken
// is the one that is written for its position.
func FuzzPosition(f *testing.F) {
	list := paging.List("objects", "int_a")
	for _, at := range [][]any{{int64(0), ""}, {int64(1 << 52), "obj_a"}, {int64(-1), "\x00"}} {
		c, err := paging.Cursor(list, at...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c)
		f.Add(c + "A")
		f.Add(c[:len(c)-1])
	}
	f.Add("")
	f.Add("////")
	f.Fuzz(func(t *testing.T, cursor string) {
		at, err := paging.Position(list, cursor, int64(0), "")
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("%q: %v", cursor, err)
			}
			return
		}
		if again, err := paging.Cursor(list, at...); err != nil || again != cursor {
			t.Fatalf("%q is read as %v, which is written %q, %v", cursor, at, again, err)
		}
		if _, err := paging.Position(paging.List("objects", "int_b"), cursor, int64(0), ""); err == nil {
			t.Fatalf("%q belongs to two organizations", cursor)
		}
	})
}
