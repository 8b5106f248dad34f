package msgraph_test

import (
	"net/http"
	"testing"

	"mooring/emulator/msgraph"
)

func TestDeltaFollowsATree(t *testing.T) {
	o := msgraph.Documented()
	o.PageSize = 2
	w := newWorld(t, o)
	docs := w.s.Folder(w.drive, w.root, "docs")
	a := w.s.File(w.drive, docs, "a.txt", []byte("a"))
	b := w.s.File(w.drive, docs, "b.txt", []byte("b"))

	first, link := w.delta("/drives/" + w.drive + "/root/delta")
	if all := latest(first); len(all) != 4 || all[w.root]["root"] == nil || all[a]["name"] != "a.txt" {
		t.Fatalf("the enumeration gave %v", all)
	}
	w.s.Write(w.drive, a, []byte("aa"))
	w.s.Rename(w.drive, docs, "papers")
	w.s.Delete(w.drive, b)
	next, link := w.delta(link)
	all := latest(next)
	if all[a]["size"] != 2.0 || all[docs]["name"] != "papers" || all[b]["deleted"] == nil {
		t.Errorf("the changes are %v", next)
	}
	if again, _ := w.delta(link); len(again) != 0 {
		t.Errorf("nothing changed, and yet: %v", again)
	}
	if v := w.s.Violations(); len(v) != 0 {
		t.Errorf("violations: %v", v)
	}
}

func TestContentComesFromAPreAuthenticatedURL(t *testing.T) {
	w := newWorld(t)
	id := w.s.File(w.drive, w.root, "a.txt", []byte("0123456789"))
	r := w.want(http.StatusFound, "/drives/"+w.drive+"/items/"+id+"/content")
	part := w.want(http.StatusPartialContent, r.header.Get("Location"), "Range", "bytes=2-4")
	if part.text != "234" || part.header.Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("the range is %q, %v", part.text, part.header)
	}
	if got := w.want(http.StatusOK, "/drives/"+w.drive+"/items/"+id); got.str("@microsoft.graph.downloadUrl") == "" {
		t.Errorf("no downloadUrl: %s", got.text)
	}
}
