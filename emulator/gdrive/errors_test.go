package gdrive_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/emulator/gdrive"
)

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	length int64
	text   string
}

// ask sends a request as a user, or without a token.
func ask(t testing.TB, s *gdrive.Server, email, path string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.API()+path, nil)
	must(t, err)
	if email != "" {
		r.Header.Set("Authorization", "Bearer "+s.AccessToken(email))
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return answer{resp.StatusCode, resp.Header, resp.ContentLength, string(text)}
}

// The bodies are those that Google sends, as far as they were seen in public: the reasons,
// their places and the statuses are what clients go by.
func TestBodiesOfErrors(t *testing.T) {
	s := gdrive.Start(t, gdrive.Options{ExportLimit: 3})
	root := s.User(ada)
	doc := s.Document(root, "Plan", "document", map[string][]byte{"text/plain": []byte("long")})
	file := s.File(root, "a.txt", []byte("ahoy"))
	bad := s.File(root, "bad.exe", []byte("boo"))
	s.MarkAbusive(bad)
	locked := s.File(root, "locked.txt", []byte("no"))
	s.ForbidDownload(locked)

	for _, tc := range []struct {
		name, path string
		header     []string
		user       string
		fault      gdrive.Action
		status     int
		want       string
	}{
		{"no token", "files", nil, "-", gdrive.Action{}, 401,
			`{"code":401,"message":"Login Required.","errors":[{"message":"Login Required.","domain":"global","reason":"required","location":"Authorization","locationType":"header"}],"status":"UNAUTHENTICATED"}`},
		{"bad token", "files", []string{"Authorization", "Bearer nonsense"}, "-", gdrive.Action{}, 401,
			`{"code":401,"message":"Invalid Credentials","errors":[{"message":"Invalid Credentials","domain":"global","reason":"authError","location":"Authorization","locationType":"header"}],"status":"UNAUTHENTICATED"}`},
		{"no file", "files/nowhere", nil, ada, gdrive.Action{}, 404,
			`{"code":404,"message":"File not found: nowhere.","errors":[{"message":"File not found: nowhere.","domain":"global","reason":"notFound","location":"fileId","locationType":"parameter"}]}`},
		{"somebody else's file", "files/" + file, nil, eve, gdrive.Action{}, 404,
			`{"code":404,"message":"File not found: ` + file + `.","errors":[{"message":"File not found: ` + file + `.","domain":"global","reason":"notFound","location":"fileId","locationType":"parameter"}]}`},
		{"a document has no content", "files/" + doc + "?alt=media", nil, ada, gdrive.Action{}, 403,
			`{"code":403,"message":"Only files with binary content can be downloaded. Use Export with Docs Editors files.","errors":[{"message":"Only files with binary content can be downloaded. Use Export with Docs Editors files.","domain":"global","reason":"fileNotDownloadable","location":"alt","locationType":"parameter"}]}`},
		{"malware", "files/" + bad + "?alt=media", nil, ada, gdrive.Action{}, 403,
			`{"code":403,"message":"This file has been identified as malware or spam and cannot be downloaded.","errors":[{"message":"This file has been identified as malware or spam and cannot be downloaded.","domain":"global","reason":"cannotDownloadAbusiveFile"}]}`},
		{"download forbidden", "files/" + locked + "?alt=media", nil, ada, gdrive.Action{}, 403,
			`{"code":403,"message":"This file cannot be downloaded by the user.","errors":[{"message":"This file cannot be downloaded by the user.","domain":"global","reason":"cannotDownloadFile"}]}`},
		{"export too large", "files/" + doc + "/export?mimeType=text/plain", nil, ada, gdrive.Action{}, 403,
			`{"code":403,"message":"This file is too large to be exported.","errors":[{"message":"This file is too large to be exported.","domain":"global","reason":"exportSizeLimitExceeded"}]}`},
		{"not to be exported", "files/" + file + "/export?mimeType=text/plain", nil, ada, gdrive.Action{}, 403,
			`{"code":403,"message":"Export only supports Docs Editors files.","errors":[{"message":"Export only supports Docs Editors files.","domain":"global","reason":"fileNotExportable"}]}`},
		{"bad page token", "changes?pageToken=1", nil, ada, gdrive.Action{}, 400,
			`{"code":400,"message":"Invalid Value","errors":[{"message":"Invalid Value","domain":"global","reason":"invalid","location":"pageToken","locationType":"parameter"}]}`},
		{"bad query", "files?q=title%3D'x'", nil, ada, gdrive.Action{}, 400,
			`{"code":400,"message":"Invalid Value","errors":[{"message":"Invalid Value","domain":"global","reason":"invalid","location":"q","locationType":"parameter"}]}`},
		{"unknown field", "files?fields=files(id,title)", nil, ada, gdrive.Action{}, 400,
			`{"code":400,"message":"Invalid field selection title","errors":[{"message":"Invalid field selection title","domain":"global","reason":"invalidParameter","location":"fields","locationType":"parameter"}]}`},
		{"about what", "about", nil, ada, gdrive.Action{}, 400,
			`{"code":400,"message":"The 'fields' parameter is required for this method.","errors":[{"message":"The 'fields' parameter is required for this method.","domain":"global","reason":"required","location":"fields","locationType":"parameter"}]}`},
		{"sorted full text", "files?q=fullText+contains+'x'&orderBy=name", nil, ada, gdrive.Action{}, 403,
			`{"code":403,"message":"Sorting is not supported for queries with fullText terms. Results are always in descending relevance order.","errors":[{"message":"Sorting is not supported for queries with fullText terms. Results are always in descending relevance order.","domain":"global","reason":"forbidden","location":"orderBy","locationType":"parameter"}]}`},
		{"range beyond the end", "files/" + file + "?alt=media", []string{"Range", "bytes=4-"}, ada, gdrive.Action{}, 416,
			`{"code":416,"message":"Request range not satisfiable","errors":[{"message":"Request range not satisfiable","domain":"global","reason":"requestedRangeNotSatisfiable","location":"Range","locationType":"header"}]}`},
		{"throttled", "files", nil, ada, gdrive.RateLimited(), 403,
			`{"code":403,"message":"User Rate Limit Exceeded","errors":[{"message":"User Rate Limit Exceeded","domain":"usageLimits","reason":"userRateLimitExceeded"}]}`},
		{"throttled by the backend", "files", nil, ada, gdrive.TooManyRequests(0), 429,
			`{"code":429,"message":"Rate Limit Exceeded","errors":[{"message":"Rate Limit Exceeded","domain":"usageLimits","reason":"rateLimitExceeded"}]}`},
		{"unavailable", "files", nil, ada, gdrive.Unavailable(), 503,
			`{"code":503,"message":"Backend Error","errors":[{"message":"Backend Error","domain":"global","reason":"backendError"}]}`},
		{"not permitted", "files", nil, ada, gdrive.Forbidden(), 403,
			`{"code":403,"message":"The user does not have sufficient permissions for this file.","errors":[{"message":"The user does not have sufficient permissions for this file.","domain":"global","reason":"insufficientFilePermissions"}]}`},
		{"API off", "files", nil, ada, gdrive.ReplyReason("accessNotConfigured"), 403,
			`{"code":403,"message":"Google Drive API has not been used in project emulator before or it is disabled.","errors":[{"message":"Google Drive API has not been used in project emulator before or it is disabled.","domain":"usageLimits","reason":"accessNotConfigured","extendedHelp":"https://console.developers.google.com"}],"status":"PERMISSION_DENIED"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			i := s.Inject(gdrive.Fault{Action: tc.fault, Times: 1})
			defer i.Remove()
			got := ask(t, s, strings.TrimPrefix(tc.user, "-"), tc.path, tc.header...)
			compact := strings.NewReplacer("\n", "", "  ", "", `": `, `":`).Replace(got.text)
			if diff := cmp.Diff(`{"error":`+tc.want+`}`, compact); got.status != tc.status || diff != "" {
				t.Errorf("status %d, want %d; body (-want +got):\n%s", got.status, tc.status, diff)
			}
			if bearer := got.header.Get("WWW-Authenticate"); (tc.status == 401) != strings.HasPrefix(bearer, `Bearer realm="https://accounts.google.com/"`) {
				t.Errorf("WWW-Authenticate is %q", bearer)
			}
		})
	}
}

// What writes, and what is not there, is refused.
func TestRefusesWhatItIsNot(t *testing.T) {
	s := gdrive.Start(t)
	file := s.File(s.User(ada), "a", nil)
	for _, r := range []struct{ method, path string }{
		{http.MethodDelete, "files/" + file}, {http.MethodPost, "files"}, {http.MethodPatch, "files/" + file},
		{http.MethodGet, "files/" + file + "/comments"}, {http.MethodGet, "apps"}, {http.MethodGet, "files/a/revisions/b/c"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, s.API()+r.path, nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+s.AccessToken(ada))
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s %s gives %s", r.method, r.path, resp.Status)
		}
	}
	if len(s.Snapshot(s.User(ada))) != 1 {
		t.Error("the tree was changed")
	}
}

// Flags and numbers that are wrong are refused, not guessed.
func TestParameters(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	team := s.SharedDrive("Team", ada)
	for _, tc := range []struct {
		path   string
		status int
		want   string
	}{
		{"files?pageSize=0", 400, "invalidParameter"},
		{"files?pageSize=1001", 400, "invalidParameter"},
		{"files?pageSize=x", 400, "invalidParameter"},
		{"files?pageSize=1000", 200, ""},
		{"changes?pageSize=5000&pageToken=" + start(t, s, ""), 200, ""},
		{"changes", 400, "required"},
		{"files?supportsAllDrives=yes", 400, "invalidParameter"},
		{"files?includeItemsFromAllDrives=true", 403, "teamDrivesNotSupported"},
		{"files?corpora=everything", 400, `"invalid"`},
		{"files?corpora=allDrives", 403, "teamDrivesIncludeRequired"},
		{"files?corpora=drive&supportsAllDrives=true&includeItemsFromAllDrives=true", 403, "teamDriveIdRequiresTeamDriveCorpora"},
		{"files?driveId=" + team + "&supportsAllDrives=true&includeItemsFromAllDrives=true", 403, "teamDriveIdRequiresTeamDriveCorpora"},
		{"files?corpora=drive&driveId=" + root + "&supportsAllDrives=true&includeItemsFromAllDrives=true", 404, "notFound"},
		{"files?corpora=drive&driveId=" + team + "&supportsAllDrives=true&includeItemsFromAllDrives=true", 200, ""},
		{"changes?pageToken=" + start(t, s, team) + "&driveId=" + team, 403, "teamDrivesIncludeRequired"},
		{"changes?pageToken=" + start(t, s, team), 400, `"invalid"`}, // of another log
		{"changes/startPageToken?driveId=" + team, 403, "teamDrivesIncludeRequired"},
		{"files?spaces=appDataFolder", 403, "insufficientScopes"},
		{"files?spaces=nowhere", 400, `"invalid"`},
		{"files?orderBy=size", 400, `"invalid"`},
		{"files?q=" + url.QueryEscape("'nowhere' in parents"), 404, "notFound"},
		{"files/" + root + "/export", 400, "required"},
		{"files?fields=files(", 400, "invalidParameter"},
	} {
		got := ask(t, s, ada, tc.path)
		if got.status != tc.status || !strings.Contains(got.text, tc.want) {
			t.Errorf("%s gives %d, want %d %s\n%s", tc.path, got.status, tc.status, tc.want, got.text)
		}
	}
}

// start is the token of a log of ada's or of a shared drive as it is now.
func start(t testing.TB, s *gdrive.Server, driveID string) string {
	t.Helper()
	token, err := client(t, s, ada).Changes.GetStartPageToken().DriveId(driveID).SupportsAllDrives(true).Do()
	must(t, err)
	return url.QueryEscape(token.StartPageToken)
}
