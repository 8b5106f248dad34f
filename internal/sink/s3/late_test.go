package s3

import (
	"fmt"
	"strings"
	"testing"

	emulator "mooring/emulator/s3"
)

// A worker is stopped in the middle of a placement, while its requests are under
// way. Its successor does the same placement and a newer one; then the requests
// arrive.

func once(op emulator.Operation, key string, do func()) emulator.Fault {
	return emulator.Fault{Match: emulator.Match{Operations: []emulator.Operation{op}, Key: key}, Nth: 1, Action: emulator.Run(do)}
}

// overtake is what the successor does.
func overtake(t *testing.T, h harness, content string) {
	next := h.part(t)
	must(t, next.Place(bg, "old", "f", int64(len(content))))
	must(t, next.Settle(bg))
	stage(t, next, "new", strings.Repeat("n", len(content)))
	must(t, next.Settle(bg))
	must(t, next.Place(bg, "new", "f", int64(len(content))))
	must(t, next.Settle(bg))
}

func TestCopyOvertaken(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		for _, op := range []emulator.Operation{emulator.CopyObject, emulator.CreateMultipartUpload, emulator.UploadPartCopy, emulator.CompleteMultipartUpload} {
			t.Run(fmt.Sprint(op, " replacing:", replaced), func(t *testing.T) {
				h := serve(t, Options{})
				if op != emulator.CopyObject {
					h.o.CopyLimit, h.o.CopyPart = 500, 400
				}
				slept, content := h.part(t), strings.Repeat("o", 1000)
				if replaced {
					stage(t, slept, "first", "before")
					must(t, slept.Place(bg, "first", "f", 6))
				}
				stage(t, slept, "old", content)
				must(t, slept.Settle(bg))
				overtaken := make(chan struct{})
				h.Inject(once(op, "*/f", func() {
					defer close(overtaken)
					overtake(t, h, content)
				}))
				must(t, slept.Place(bg, "old", "f", 1000)) // content of the size stands there
				must(t, slept.Settle(bg))
				<-overtaken // where it was tried anew, the first request may hang on
				if got := read(t, slept, "f"); got != strings.Repeat("n", 1000) {
					t.Errorf("older bytes stand over the newer ones: %.10s", got)
				}
				if got := h.keys(t); got != "int_a/bkt_a/f" {
					t.Errorf("left: %s", got)
				}
			})
		}
	}
}

// The service has read the source of a copy before it was deleted, and comes to
// write it only when newer bytes stand there: the condition stops it.
func TestCopyUnderWayIsStoppedByItsCondition(t *testing.T) {
	for _, before := range []string{"", "what was there"} {
		h := serve(t, Options{})
		slept := h.part(t)
		if before != "" {
			stage(t, slept, "first", before)
			must(t, slept.Place(bg, "first", "f", int64(len(before))))
			must(t, slept.Settle(bg))
		}
		stage(t, slept, "old", "older")
		copies := 1
		if before != "" {
			copies = 2 // the first meets what was there
		}
		h.Inject(emulator.Fault{Match: emulator.On(emulator.CopyObject), Nth: copies, Action: emulator.Run(func() {
			must(t, h.Put(target, "int_a/bkt_a/f", []byte("newer"), emulator.PutOptions{}))
			h.Inject(once(emulator.HeadObject, "*/old", func() { must(t, h.Delete(target, "int_a/bkt_a/.mooring/staging/old")) }))
		})})
		must(t, slept.Place(bg, "old", "f", 5))
		if got := read(t, slept, "f"); got != "newer" {
			t.Errorf("over %q stands %q", before, got)
		}
	}
}

// What took a name while a renaming was under way is not deleted with it.
func TestRenameLeavesWhatTookTheName(t *testing.T) {
	h := serve(t, Options{})
	p := h.part(t)
	stage(t, p, "s", "content")
	must(t, p.Place(bg, "s", "from", 7))
	h.Inject(once(emulator.DeleteObject, "*/from", func() {
		must(t, h.Put(target, "int_a/bkt_a/from", []byte("another"), emulator.PutOptions{}))
	}))
	must(t, p.Rename(bg, "from", "to", 7))
	if a, b := read(t, p, "from"), read(t, p, "to"); a != "another" || b != "content" {
		t.Errorf("from holds %q, to %q", a, b)
	}
}
