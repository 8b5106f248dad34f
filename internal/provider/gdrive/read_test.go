package gdrive_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/gdrive"
)

const docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

// listed returns the item of an id.
func listed(t testing.TB, src driver.Source, scope, id string) driver.Item {
	t.Helper()
	list, _ := pages(t, src, scope, nil)
	c, ok := byID(list)[id]
	if !ok || c.Gone {
		t.Fatalf("%s is not listed", id)
	}
	return c.Item
}

func TestChecksumsAreOfTheWholeAndCertain(t *testing.T) {
	s, team, src := robot(t)
	id := s.File(team, "file", []byte("content"))
	r, err := src.Open(t.Context(), listed(t, src, team, id), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var names []string
	for _, c := range r.(driver.Checksummed).Checksums() {
		if c.Certain {
			names = append(names, c.Algorithm)
		}
	}
	if !slices.Equal(names, []string{"sha256", "md5"}) {
		t.Errorf("certain are %v", names)
	}
}

func TestARangeThatIsIgnored(t *testing.T) {
	s, team, src := robot(t)
	id := s.File(team, "file", []byte("0123456789"))
	it := listed(t, src, team, id)
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesDownload), Action: emulator.IgnoreRange()})
	if got, err := readAll(src, it, 4); got != "456789" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestChangedWhileItWasOpened(t *testing.T) {
	s, team, src := robot(t)
	id := s.File(team, "file", []byte("0123456789"))
	it := listed(t, src, team, id)
	// Between the look at the file and its content it becomes shorter.
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesDownload), Times: 1, Action: emulator.Run(func() { s.Write(id, []byte("012")) })})
	_, err := readAll(src, it, 0)
	fails(t, "shorter", err, errs.Stale, ofObject, "")
	it = listed(t, src, team, id)
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesDownload), Times: 1, Action: emulator.Run(func() { s.Write(id, []byte("0")) })})
	_, err = readAll(src, it, 2)
	fails(t, "shorter than the offset", err, errs.Stale, ofObject, "requestedRangeNotSatisfiable")
}

func TestTheSameContentAgainIsNoNewVersion(t *testing.T) {
	s, team, src := robot(t)
	id := s.File(team, "file", []byte("0123456789"))
	it := listed(t, src, team, id)
	s.Write(id, []byte("other"))
	s.Write(id, []byte("0123456789"))
	s.Touch(id)
	if again := listed(t, src, team, id); again.Version != it.Version {
		t.Errorf("%q, then %q", it.Version, again.Version)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	s, team, src := robot(t)
	abusive, kept := s.File(team, "abusive", []byte("x")), s.File(team, "kept", []byte("y"))
	s.MarkAbusive(abusive)
	s.ForbidDownload(kept)
	form := s.Document(team, "form", "form", nil)
	list, _ := pages(t, src, team, nil)
	got := byID(list)
	_, err := readAll(src, got[abusive].Item, 0)
	fails(t, "abusive", err, errs.PermissionDenied, ofObject, "cannotDownloadAbusiveFile")
	if s := got[kept].Item.Skip; s != "download_forbidden" {
		t.Errorf("a file that may not be downloaded: %q", s)
	}
	if s := got[form].Item.Skip; s != "not_exportable" {
		t.Errorf("a form: %q", s)
	}
}

func TestDocumentsAreExported(t *testing.T) {
	s, team, src := robot(t)
	content := []byte("exported")
	id := s.Document(team, "Plan", "document", map[string][]byte{docx: content, "application/pdf": []byte("a PDF")})
	named := s.Document(team, "Table.xlsx", "spreadsheet", nil)
	list, _ := pages(t, src, team, nil)
	it := byID(list)[id].Item
	if it.Name != "Plan.docx" || it.Size != -1 || it.MIME != docx || it.Skip != "" {
		t.Errorf("a document is %+v", it)
	}
	if n := byID(list)[named].Item.Name; n != "Table.xlsx" {
		t.Errorf("an extension is written twice: %q", n)
	}
	if got, err := readAll(src, it, 0); got != "exported" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_, err := readAll(src, it, 3)
	fails(t, "from the middle", err, errs.Stale, ofObject, "")
	s.EditDocument(id, map[string][]byte{docx: []byte("edited")})
	_, err = readAll(src, it, 0)
	fails(t, "edited meanwhile", err, errs.Stale, ofObject, "")
	if now := listed(t, src, team, id); now.Version == it.Version {
		t.Error("an edited document has the old version")
	}
}

func TestExportFormatsAreChosen(t *testing.T) {
	s := emulator.Start(t)
	team := s.SharedDrive("Team", account)
	id := s.Document(team, "Plan", "document", map[string][]byte{"application/pdf": []byte("a PDF")})
	raw := serviceAccount(t, s, "export_formats", "")
	raw["export_formats"] = []any{"document=pdf"}
	src := open(t, s, raw)
	it := listed(t, src, team, id)
	if got, err := readAll(src, it, 0); it.Name != "Plan.pdf" || got != "a PDF" || err != nil {
		t.Errorf("%s, %q, %v", it.Name, got, err)
	}
	raw["export_formats"] = []any{"document=pdf", "document=txt"}
	_, err := gdrive.Open(t.Context(), decode(t, raw), options(t, s))
	fails(t, "two formats", err, errs.Invalid, ofConnection, "")
}

func TestLargeDocumentsAreReadByTheirLink(t *testing.T) {
	s, team, src := robot(t)
	large := bytes.Repeat([]byte("0123456789ab"), 1<<20)
	id := s.Document(team, "Large", "document", map[string][]byte{docx: large})
	it := listed(t, src, team, id)
	got, err := readAll(src, it, 0)
	if err != nil || got != string(large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := s.Count(emulator.ExportLink); n != 1 {
		t.Errorf("%d requests to the link", n)
	}
	s.Inject(emulator.Fault{Match: emulator.On(emulator.ExportLink), Action: emulator.NotFound()})
	_, err = readAll(src, it, 0)
	fails(t, "without a link", err, errs.Invalid, ofObject, "exportSizeLimitExceeded")
}

// rewrite is a server before an emulator that changes its answers.
func rewrite(t *testing.T, s *emulator.Server, change func(w http.ResponseWriter, r *http.Request, answer string) string) string {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		body := change(w, r, rec.Body.String())
		for k, v := range rec.Header() {
			if k != "Content-Length" && w.Header().Get(k) == "" {
				w.Header()[k] = v
			}
		}
		if w.Header().Get("Location") != "" {
			w.WriteHeader(http.StatusFound)
			return
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// The host that content comes from must not see the access token.
func TestTheTokenStaysWithGoogle(t *testing.T) {
	for name, large := range map[string]bool{"a download that is redirected": false, "an export by a link": true} {
		s := emulator.Start(t, emulator.Options{ExportLimit: 10})
		team := s.SharedDrive("Team", account)
		file := s.File(team, "file", []byte("from elsewhere"))
		doc := s.Document(team, "doc", "document", map[string][]byte{docx: bytes.Repeat([]byte("x"), 20)})
		var seen []string
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Header.Get("Authorization"))
			_, _ = w.Write([]byte("from elsewhere"))
		}))
		defer other.Close()
		front := rewrite(t, s, func(w http.ResponseWriter, r *http.Request, answer string) string {
			if r.URL.Query().Get("alt") == "media" && strings.HasSuffix(r.URL.Path, file) {
				w.Header().Set("Location", other.URL)
			}
			u, _ := url.Parse(s.URL)
			return strings.ReplaceAll(answer, u.Host+"/feeds", strings.TrimPrefix(other.URL, "http://")+"/feeds")
		})
		o := options(t, s)
		o.Endpoints = map[string]string{"api": front + "/drive/v3/", "token": s.TokenURL()}
		src, err := gdrive.Open(t.Context(), decode(t, serviceAccount(t, s)), o)
		if err != nil {
			t.Fatal(err)
		}
		id := file
		if large {
			id = doc
		}
		got, err := readAll(src, listed(t, src, team, id), 0)
		if err != nil || got != "from elsewhere" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if len(seen) != 1 || seen[0] != "" {
			t.Errorf("%s: the other host saw %q", name, seen)
		}
	}
}

func TestAPageToSignInIsNoDocument(t *testing.T) {
	s := emulator.Start(t, emulator.Options{ExportLimit: 10})
	team := s.SharedDrive("Team", account)
	id := s.Document(team, "doc", "document", map[string][]byte{docx: bytes.Repeat([]byte("x"), 20)})
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<html>sign in"))
	}))
	defer other.Close()
	front := rewrite(t, s, func(_ http.ResponseWriter, _ *http.Request, answer string) string {
		u, _ := url.Parse(s.URL)
		return strings.ReplaceAll(answer, u.Host+"/feeds", strings.TrimPrefix(other.URL, "http://")+"/feeds")
	})
	o := options(t, s)
	o.Endpoints["api"] = front + "/drive/v3/"
	src, err := gdrive.Open(t.Context(), decode(t, serviceAccount(t, s)), o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = readAll(src, listed(t, src, team, id), 0)
	fails(t, "a page to sign in", err, errs.Invalid, ofObject, "exportSizeLimitExceeded")
}

func TestAnswersThatAreNotGoogles(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"a page": {200, "<html>hello</html>"}, "an empty object": {200, "{}"}, "a refusal without a reason": {403, "<html>too many requests</html>"},
		"half an answer": {200, `{"files": [{"id": "x"`}, "endless": {200, `{"name": "` + strings.Repeat("x", 70<<20) + `"}`},
	} {
		s := emulator.Start(t)
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		o := options(t, s)
		o.Endpoints["api"] = front.URL
		src, err := gdrive.Open(t.Context(), decode(t, serviceAccount(t, s)), o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = src.Check(t.Context(), "")
		if k := errs.KindOf(err); k != errs.Unavailable && k != errs.Corrupt {
			t.Errorf("%s: %v: %v", name, k, err)
		}
		_, err = src.Changes(t.Context(), driver.Scope{Path: "1Folder"}, nil)
		if k := errs.KindOf(err); err == nil || k != errs.Unavailable && k != errs.Corrupt {
			t.Errorf("%s: %v: %v", name, k, err)
		}
		front.Close()
	}
}
