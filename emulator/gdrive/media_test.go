package gdrive_test

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/api/googleapi"

	"mooring/emulator/gdrive"
)

func TestRanges(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	file, empty := s.File(root, "a.txt", []byte("0123456789")), s.File(root, "empty", nil)
	for _, tc := range []struct {
		id, header   string
		status       int
		body, answer string
	}{
		{file, "", 200, "0123456789", ""},
		{file, "bytes=2-4", 206, "234", "bytes 2-4/10"},
		{file, "bytes=7-", 206, "789", "bytes 7-9/10"},
		{file, "bytes=7-100", 206, "789", "bytes 7-9/10"},
		{file, "bytes=-3", 206, "789", "bytes 7-9/10"},
		{file, "bytes=-30", 206, "0123456789", "bytes 0-9/10"},
		{file, "bytes=10-", 416, "", "bytes */10"},
		{file, "bytes=-0", 416, "", "bytes */10"},
		{file, "bytes=4-2", 200, "0123456789", ""},
		{file, "bytes=0-1,3-4", 200, "0123456789", ""},
		{file, "lines=1-2", 200, "0123456789", ""},
		{file, "bytes=9223372036854775808-", 200, "0123456789", ""},
		{empty, "", 200, "", ""},
		{empty, "bytes=0-", 416, "", "bytes */0"},
	} {
		got := ask(t, s, ada, "files/"+tc.id+"?alt=media", "Range", tc.header)
		if got.status != tc.status || got.header.Get("Content-Range") != tc.answer || tc.status != 416 && got.text != tc.body {
			t.Errorf("%s gives %d, %q, %q", tc.header, got.status, got.header.Get("Content-Range"), got.text)
		}
		if tc.status != 416 && got.length != int64(len(tc.body)) {
			t.Errorf("%s has %d bytes", tc.header, got.length)
		}
	}
}

func TestGeneratedContent(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	const size = 100_001
	file := s.Generated(root, "big", 3, size)
	s.Generated(root, "huge", 4, 1<<50) // which nobody reads
	whole := string(gdrive.GeneratedContent(3, size))
	got := ask(t, s, ada, "files/"+file+"?alt=media").text
	part := ask(t, s, ada, "files/"+file+"?alt=media", "Range", "bytes=12345-54321").text
	if got != whole || part != whole[12345:54322] {
		t.Error("a part is not what the whole has there")
	}
	if other := string(gdrive.GeneratedContent(4, size)); other == whole || strings.Count(whole, whole[:64]) != 1 {
		t.Error("the content repeats")
	}
	list, err := client(t, s, ada).Files.List().Fields("files(name,size)").Do()
	must(t, err)
	if list.Files[1].Size != 1<<50 {
		t.Errorf("the size is %d", list.Files[1].Size)
	}
}

func TestRevisions(t *testing.T) {
	s := gdrive.Start(t)
	file := s.File(s.User(ada), "a", []byte("one"))
	d := client(t, s, ada)
	first, err := d.Files.Get(file).Fields("headRevisionId,version").Do()
	must(t, err)
	s.Write(file, []byte("two"))
	second, err := d.Files.Get(file).Fields("headRevisionId,version").Do()
	must(t, err)
	if first.HeadRevisionId == second.HeadRevisionId || first.Version >= second.Version {
		t.Errorf("a write goes from %+v to %+v", first, second)
	}
	for id, want := range map[string]string{first.HeadRevisionId: "one", second.HeadRevisionId: "two", "head": "two"} {
		resp, err := d.Revisions.Get(file, id).Download()
		if got := body(t, resp, err); got != want {
			t.Errorf("revision %s is %q", id, got)
		}
	}
	_, err = d.Revisions.Get(file, "none").Do()
	if status, why := reason(t, err); status != 404 || why != "notFound" {
		t.Errorf("no revision: %d %s", status, why)
	}
	list, err := d.Revisions.List(file).Fields("revisions(id,size,md5Checksum)").Do()
	must(t, err)
	if len(list.Revisions) != 2 || list.Revisions[0].Id != first.HeadRevisionId || list.Revisions[1].Size != 3 {
		t.Errorf("the revisions are %+v", list.Revisions)
	}
}

func TestExports(t *testing.T) {
	s := gdrive.Start(t, gdrive.Options{ExportLimit: 10})
	root := s.User(ada)
	doc := s.Document(root, "Plan", "document", map[string][]byte{"text/plain": []byte("the plan"), "application/pdf": []byte("a long portable plan")})
	form := s.Document(root, "Ask", "form", nil)
	d := client(t, s, ada)

	resp, err := d.Files.Export(doc, "text/plain").Download()
	if got := body(t, resp, err); got != "the plan" {
		t.Errorf("the export is %q", got)
	}
	for _, tc := range []struct{ id, mime, want string }{
		{doc, "application/pdf", "exportSizeLimitExceeded"}, {doc, "image/png", "badRequest"}, {form, "text/plain", "badRequest"}, {root, "text/plain", "fileNotExportable"},
	} {
		resp, err := d.Files.Export(tc.id, tc.mime).Download()
		if _, why := refusal(t, resp, err); why != tc.want {
			t.Errorf("%s as %s: %s, want %s", tc.id, tc.mime, why, tc.want)
		}
	}

	item, err := d.Files.Get(doc).Fields("exportLinks").Do()
	must(t, err)
	link := item.ExportLinks["application/pdf"]
	if !strings.HasPrefix(link, s.URL) {
		t.Fatalf("the link leads to %q", link)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	must(t, err)
	resp, err = http.DefaultClient.Do(r)
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("the link gives %s to anybody", resp.Status)
	}
	r.Header.Set("Authorization", "Bearer "+s.AccessToken(ada))
	resp, err = http.DefaultClient.Do(r)
	if got := body(t, resp, err); got != "a long portable plan" {
		t.Errorf("the link gives %q", got)
	}

	about, err := d.About.Get().Fields("exportFormats").Do()
	must(t, err)
	if _, ok := about.ExportFormats["application/vnd.google-apps.form"]; ok || len(about.ExportFormats["application/vnd.google-apps.document"]) != 8 {
		t.Errorf("the formats are %v", about.ExportFormats)
	}
	before, err := d.Files.Get(doc).Fields("version").Do()
	must(t, err)
	s.EditDocument(doc, map[string][]byte{"text/plain": []byte("new")})
	after, err := d.Files.Get(doc).Fields("version").Do()
	must(t, err)
	if after.Version <= before.Version {
		t.Error("an edit leaves the version as it was")
	}
}

func TestAbusiveFiles(t *testing.T) {
	s := gdrive.Start(t)
	file := s.File(s.User(ada), "bad", []byte("boo"))
	s.MarkAbusive(file)
	resp, err := client(t, s, ada).Files.Get(file).AcknowledgeAbuse(true).Download()
	if got := body(t, resp, err); got != "boo" {
		t.Errorf("who acknowledges gets %q", got)
	}
}

// A file shared by a link is there for who shows its key.
func TestResourceKeys(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	file := s.File(root, "a", []byte("ahoy"))
	key := s.ShareByLink(file)
	link := s.Shortcut(s.User(bob), "link", file)
	for header, want := range map[string]int{"": 404, file + "/" + key: 200, file + "/wrong": 404, "x/y," + file + "/" + key: 200} {
		if got := ask(t, s, bob, "files/"+file+"?alt=media", "X-Goog-Drive-Resource-Keys", header).status; got != want {
			t.Errorf("with %q: %d, want %d", header, got, want)
		}
	}
	item, err := client(t, s, bob).Files.Get(link).Fields("shortcutDetails").Do()
	must(t, err)
	if item.ShortcutDetails.TargetResourceKey != key {
		t.Errorf("the shortcut tells %+v", item.ShortcutDetails)
	}
}

func TestShortcuts(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	folder := s.Folder(root, "folder")
	cycle := s.Shortcut(folder, "back", folder)
	dangling := s.Shortcut(root, "dangling", s.File(s.User(bob), "his", nil))
	nowhere := s.Shortcut(root, "nowhere", "no-such-id")
	d := client(t, s, ada)
	for id, want := range map[string]string{cycle: "application/vnd.google-apps.folder", dangling: "application/octet-stream", nowhere: "application/octet-stream"} {
		item, err := d.Files.Get(id).Fields(googleapi.Field("mimeType,shortcutDetails")).Do()
		must(t, err)
		if item.MimeType != "application/vnd.google-apps.shortcut" || item.ShortcutDetails.TargetMimeType != want {
			t.Errorf("the shortcut is %+v", item.ShortcutDetails)
		}
		resp, err := d.Files.Get(id).Download()
		if _, why := refusal(t, resp, err); why != "fileNotDownloadable" {
			t.Errorf("downloading a shortcut gives %s", why)
		}
	}
}
