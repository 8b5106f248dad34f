package msgraph_test

import (
	"strings"
	"testing"
	"time"

	"mooring/emulator/msgraph"
)

// newWorldAt is a documented world on a clock.
func newWorldAt(t *testing.T, c *clock) *world {
	t.Helper()
	o := msgraph.Documented()
	o.Now = c.Now
	return newWorld(t, o)
}

func (w *world) location(id string) string {
	w.Helper()
	return w.want(302, "/drives/"+w.drive+"/items/"+id+"/content").header.Get("Location")
}

func TestRanges(t *testing.T) {
	w := newWorld(t)
	at := w.location(w.s.File(w.drive, w.root, "a", []byte("0123456789")))
	empty := w.location(w.s.File(w.drive, w.root, "empty", nil))
	for _, tc := range []struct {
		url, header string
		status      int
		body, part  string
	}{
		{at, "", 200, "0123456789", ""},
		{at, "bytes=0-0", 206, "0", "bytes 0-0/10"},
		{at, "bytes=7-", 206, "789", "bytes 7-9/10"},
		{at, "bytes=7-99", 206, "789", "bytes 7-9/10"},
		{at, "bytes=-3", 206, "789", "bytes 7-9/10"},
		{at, "bytes=-99", 206, "0123456789", "bytes 0-9/10"},
		{at, "bytes=10-", 416, "<html></html>", "bytes */10"},
		{at, "bytes=-0", 416, "<html></html>", "bytes */10"},
		{at, "bytes=5-2", 200, "0123456789", ""},
		{at, "bytes=0-1,3-4", 200, "0123456789", ""},
		{at, "lines=1-2", 200, "0123456789", ""},
		{at, "bytes=99999999999999999999-", 200, "0123456789", ""},
		{empty, "", 200, "", ""},
		{empty, "bytes=0-", 416, "<html></html>", "bytes */0"},
	} {
		r := w.get(tc.url, "Range", tc.header)
		if r.status != tc.status || r.text != tc.body || r.header.Get("Content-Range") != tc.part {
			t.Errorf("%q: %d %q %q", tc.header, r.status, r.text, r.header.Get("Content-Range"))
		}
	}
}

func TestDownloadURLsExpire(t *testing.T) {
	c := newClock()
	w := newWorldAt(t, c)
	id := w.s.File(w.drive, w.root, "a", []byte("a"))
	at := w.location(id)
	w.want(200, at)
	c.advance(time.Hour)
	w.bearer = w.s.AccessToken(tenant, app)
	w.want(401, at)
	at = w.location(id)
	w.s.ExpireDownloadURLs()
	w.want(401, at)
	at = w.location(id)
	for _, status := range []int{401, 403, 404} {
		w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Download), Times: 1, Action: msgraph.DownloadRefused(status)})
		if r := w.want(status, at); r.body != nil {
			t.Errorf("the host of the files answers JSON: %s", r.text)
		}
	}
	w.want(200, at)
	w.s.Delete(w.drive, id)
	w.want(404, at)
	w.want(404, w.s.URL+"/_layouts/download/nonsense")
}

func TestBearersAtDownloadsAreNoted(t *testing.T) {
	w := newWorld(t)
	at := w.location(w.s.File(w.drive, w.root, "a", []byte("a")))
	w.want(200, at)
	if v := w.s.Violations(); len(v) != 0 {
		t.Errorf("violations: %v", v)
	}
	w.want(200, at, "Authorization", "Bearer "+w.bearer)
	if v := w.s.Violations(); len(v) != 1 || v[0].Rule != msgraph.BearerAtDownload || v[0].Request != 3 {
		t.Errorf("violations: %v", v)
	}
}

func TestContentIsNotToBeHad(t *testing.T) {
	w := newWorld(t)
	virus := w.s.File(w.drive, w.root, "virus", []byte("x"))
	w.s.Malware(w.drive, virus)
	d := "/drives/" + w.drive + "/items/"
	if r := w.want(403, d+virus+"/content"); r.str("error", "code") != "malwareDetected" {
		t.Errorf("malware: %s", r.text)
	}
	if r := w.want(200, d+virus); r.body["malware"] == nil || r.body["@microsoft.graph.downloadUrl"] != nil {
		t.Errorf("the item is %s", r.text)
	}
	w.want(400, d+w.root+"/content")
	w.want(400, d+w.s.Package(w.drive, w.root, "Notes", "oneNote")+"/content")
	file := w.s.File(w.drive, w.root, "a", []byte("a"))
	item := w.want(200, d+file)
	w.want(304, d+file+"/content", "If-None-Match", item.str("eTag"))
	w.want(304, d+file+"/content", "If-None-Match", item.str("cTag"))
	w.s.Write(w.drive, file, []byte("b"))
	w.want(302, d+file+"/content", "If-None-Match", item.str("cTag"))
}

func TestGeneratedContent(t *testing.T) {
	w := newWorld(t)
	id := w.s.Generated(w.drive, w.root, "big", 3, 100_000)
	at := w.location(id)
	whole := w.want(200, at).text
	if len(whole) != 100_000 || w.want(206, at, "Range", "bytes=777-99998").text != whole[777:99_999] {
		t.Error("a part is not that of the whole")
	}
	twin := w.s.Generated(w.drive, w.root, "twin", 3, 100_000)
	other := w.s.Generated(w.drive, w.root, "other", 4, 100_000)
	s := w.s.Snapshot(w.drive, w.root)
	if s[id].SHA256 != s[twin].SHA256 || s[id].SHA256 == s[other].SHA256 || s[id].QuickXorHash == s[other].QuickXorHash {
		t.Errorf("the files are %v", s)
	}
}

func TestBrokenDownloads(t *testing.T) {
	w := newWorld(t)
	id := w.s.File(w.drive, w.root, "a", []byte("0123456789"))
	at := w.location(id)
	w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Download), Nth: 1, Action: msgraph.IgnoreRange()})
	if r := w.want(200, at, "Range", "bytes=5-"); r.text != "0123456789" {
		t.Errorf("the range is not ignored: %q", r.text)
	}
	w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Download), Nth: 1, Action: msgraph.CorruptByte(3)})
	if r := w.want(200, at); r.text == "0123456789" || len(r.text) != 10 {
		t.Errorf("the content is whole: %q", r.text)
	}
	w.s.Inject(msgraph.Fault{Match: msgraph.Match{Path: "a"}, Nth: 1, Action: msgraph.WriteFirst([]byte("new"))})
	if r := w.want(200, at); r.text != "new" {
		t.Errorf("the content is the old one: %q", r.text)
	}
	for _, action := range []msgraph.Action{msgraph.ShortBody(1), msgraph.ResetAfter(1), msgraph.Drop()} {
		f := w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Download), Action: action})
		if text, err := w.try(at); err == nil {
			t.Errorf("nothing broke: %q", text)
		}
		f.Remove()
	}
	if log := w.s.Requests(); !strings.HasPrefix(log[len(log)-1].Path, "a") || log[len(log)-1].Item != id {
		t.Errorf("the log does not say what was read: %+v", log[len(log)-1])
	}
}
