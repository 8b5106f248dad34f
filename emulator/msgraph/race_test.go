package msgraph_test

import (
	"fmt"
	"sync"
	"testing"

	"mooring/emulator/msgraph"
)

// Clients read while the tree changes, and each answer is whole.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t)
	folder := w.s.Folder(w.drive, w.root, "busy")
	for n := range 50 {
		w.s.File(w.drive, folder, fmt.Sprint("kept-", n), []byte("x"))
	}
	w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.GetItem), After: 3, Times: 2, Action: msgraph.ReplyCode("accessDenied")})
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for n := range 50 {
				id := w.s.File(w.drive, folder, fmt.Sprintf("%d-%d", g, n), []byte("y"))
				w.s.Write(w.drive, id, []byte("yy"))
				w.s.Delete(w.drive, id)
			}
		})
		group.Go(func() {
			for range 10 {
				r := w.get("/drives/" + w.drive + "/root/delta?$top=500")
				if r.status != 200 || len(r.values()) < 52 {
					t.Errorf("a page of %d items: %d", len(r.values()), r.status)
				}
				w.get("/drives/" + w.drive + "/items/" + folder + "/children")
				w.get("/drives/" + w.drive + "/items/" + folder)
				w.s.Snapshot(w.drive, folder)
				w.s.Requests()
			}
		})
	}
	group.Wait()
	denied := 0
	for _, r := range w.s.Requests() {
		if r.Status == 403 {
			denied++
		}
	}
	if denied != 2 || len(w.s.Snapshot(w.drive, w.root)) != 50 {
		t.Errorf("%d were denied; %d files are left", denied, len(w.s.Snapshot(w.drive, w.root)))
	}
}
