package gdrive_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"mooring/emulator/gdrive"
)

// names lists and returns the names, in the order given.
func names(t testing.TB, call *drive.FilesListCall, opts ...googleapi.CallOption) []string {
	t.Helper()
	out := []string{}
	for token := ""; ; {
		page, err := call.PageToken(token).Do(opts...)
		must(t, err)
		for _, f := range page.Files {
			out = append(out, f.Name)
		}
		if token = page.NextPageToken; token == "" {
			return out
		}
	}
}

// everywhere are the flags of a client that knows of shared drives.
var everywhere = []googleapi.CallOption{
	googleapi.QueryParameter("supportsAllDrives", "true"), googleapi.QueryParameter("includeItemsFromAllDrives", "true"),
}

func TestListsShowWhatAUserSees(t *testing.T) {
	s := gdrive.Start(t)
	root, his := s.User(ada), s.User(bob)
	team, crew := s.SharedDrive("Team", ada), s.SharedDrive("Crew", ada, bob)
	folder := s.Folder(his, "his")
	s.File(folder, "shared", nil)
	s.File(his, "private", nil)
	s.File(root, "mine", nil)
	inTeam := s.File(team, "team", []byte("content"))
	s.File(crew, "crew", nil)
	s.Share(folder, ada)
	hers, bobs := client(t, s, ada), client(t, s, bob)

	for _, tc := range []struct {
		what string
		call *drive.FilesListCall
		opts []googleapi.CallOption
		want string
	}{
		{"no flags", hers.Files.List(), nil, "his shared mine"},
		{"all flags", hers.Files.List(), everywhere, "his shared mine team crew"},
		{"another user", bobs.Files.List(), everywhere, "his shared private crew"},
		{"all drives", bobs.Files.List().Corpora("allDrives"), everywhere, "his shared private crew"},
		{"one drive", hers.Files.List().Corpora("drive").DriveId(team), everywhere, "team"},
		{"a folder of a shared drive without flags", hers.Files.List().Q("'" + team + "' in parents"), nil, ""},
		{"a folder of a shared drive", hers.Files.List().Q("'" + team + "' in parents"), everywhere, "team"},
		{"the alias root", hers.Files.List().Q("'root' in parents"), nil, "mine"},
		{"two folders", hers.Files.List().Q("'root' in parents or '" + folder + "' in parents"), nil, "shared mine"},
		{"a folder twice", hers.Files.List().Q("'root' in parents or '" + root + "' in parents"), nil, "mine"},
		{"shared with me", hers.Files.List().Q("sharedWithMe"), nil, "his"},
		{"sorted", hers.Files.List().OrderBy("folder,name desc"), nil, "his shared mine"},
	} {
		for size := range int64(3) {
			if got := strings.Join(names(t, tc.call.PageSize(size+1), tc.opts...), " "); got != tc.want {
				t.Errorf("%s, by %d: %q, want %q", tc.what, size+1, got, tc.want)
			}
		}
	}
	if _, err := bobs.Files.Get(team).SupportsAllDrives(true).Do(); err == nil {
		t.Error("bob sees a drive that he is no member of")
	}
	_, err := hers.Files.Get(inTeam).Do()
	if status, why := reason(t, err); status != 404 || why != "notFound" {
		t.Errorf("who does not know of shared drives gets %d %s", status, why)
	}
	resp, err := hers.Files.Get(inTeam).Download()
	if got := body(t, resp, err); got != "content" {
		t.Errorf("and the content %q", got)
	}
	got, err := hers.Files.Get(folder).Fields("parents,ownedByMe,shared,owners/emailAddress").Do()
	must(t, err)
	if got.Parents != nil || got.OwnedByMe || !got.Shared || got.Owners[0].EmailAddress != bob {
		t.Errorf("what bob shares is %+v to ada: a parent that she can't see is absent", got)
	}
	drives, err := bobs.Drives.List().Do()
	must(t, err)
	if len(drives.Drives) != 1 || drives.Drives[0].Name != "Crew" {
		t.Errorf("bob's drives are %+v", drives.Drives)
	}
}

// A token is good for the list it was given for and no other.
func TestPageTokensAreBound(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	for i := range 3 {
		s.File(root, fmt.Sprint(i), nil)
	}
	d := client(t, s, ada)
	page, err := d.Files.List().PageSize(1).Do()
	must(t, err)
	for what, call := range map[string]*drive.FilesListCall{
		"another query": d.Files.List().Q("trashed = false"), "another order": d.Files.List().OrderBy("name"), "another user": client(t, s, bob).Files.List(),
	} {
		_, err := call.PageToken(page.NextPageToken).Do()
		if status, why := reason(t, err); status != 400 || why != "invalid" {
			t.Errorf("%s: %d %s", what, status, why)
		}
	}
}

// What is created or deleted between pages neither repeats nor hides the rest.
func TestListWhileChanging(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	var ids []string
	for i := range 4 {
		ids = append(ids, s.File(root, fmt.Sprint(i), nil))
	}
	d := client(t, s, ada)
	page, err := d.Files.List().PageSize(2).Do()
	must(t, err)
	s.Delete(ids[0])
	s.Delete(ids[2])
	s.File(root, "4", nil)
	got := names(t, d.Files.List().PageSize(2), googleapi.QueryParameter("pageToken", page.NextPageToken))
	if !slices.Equal(got, []string{"3", "4"}) {
		t.Errorf("the second page has %q", got)
	}
}

func TestQueries(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := gdrive.Start(t, gdrive.Options{Now: func() time.Time { return now }})
	root := s.User(ada)
	folder := s.Folder(root, "Folder")
	text := s.File(root, `it's a \ text.txt`, nil)
	now = now.Add(time.Hour)
	s.File(folder, "picture.png", nil)
	trashed := s.File(folder, "trashed", nil)
	s.Trash(trashed)
	s.Star(text, true)
	s.SetProperties(text, map[string]string{"project": "x"})
	s.Shortcut(root, "link", text)
	d := client(t, s, ada)
	for q, want := range map[string]string{
		"":                             `Folder|it's a \ text.txt|picture.png|trashed|link`,
		"trashed = false":              `Folder|it's a \ text.txt|picture.png|link`,
		"trashed!=false":               "trashed",
		`name = 'it\'s a \\ text.txt'`: `it's a \ text.txt`,
		"name contains 'tex'":          `it's a \ text.txt`,
		"name contains 'ext'":          "",
		"not name contains 'pic' and not trashed=true and name!='link'": `Folder|it's a \ text.txt`,
		"mimeType = 'application/vnd.google-apps.folder'":               "Folder",
		"mimeType contains 'image/'":                                    "picture.png",
		"modifiedTime > '2026-01-02T03:30:00' and trashed = false":      "picture.png|link",
		"modifiedTime <= '2026-01-02T04:04:05+01:00'":                   `Folder|it's a \ text.txt`,
		"createdTime < '2026-01-02'":                                    "",
		"starred = true":                                                `it's a \ text.txt`,
		"properties has { key='project' and value='x' }":                `it's a \ text.txt`,
		"appProperties has { key='project' and value='x' }":             "",
		"shortcutDetails.targetId = '" + text + "'":                     "link",
		"'me' in owners and name = 'Folder'":                            "Folder",
		"'bob@example.com' in owners or 'eve@example.com' in readers":   "",
		"(name='Folder' or name='link') and trashed=false":              "Folder|link",
		"name='Folder' or name='link' and trashed=true":                 "Folder",
		"'" + folder + "' in parents":                                   "picture.png|trashed",
		"sharedWithMe = false and name = 'Folder'":                      "Folder",
	} {
		if got := strings.Join(names(t, d.Files.List().Q(q)), "|"); got != want {
			t.Errorf("%s\ngives %q, want %q", q, got, want)
		}
	}
	for _, q := range []string{
		"title = 'x'", "name", "name =", "name = x", `name = "x"`, "name = 'x", "name like 'x'", "trashed = 'true'", "trashed", "name > 'x'",
		"'x' in", "'x' in children", "in parents", "name = 'x' and", "and", "not", "(name = 'x'", "name = 'x')", "name = 'x' name = 'y'",
		"fullText = 'x'", "modifiedTime > 'yesterday'", "modifiedTime contains '2026'", "mimeType in 'x'", "parents = 'x'", "size > 3",
		"properties has { key='a' }", `name = 'a\b'`, "name = 'x' && trashed = false", "NOT trashed = true", "'' in parents", strings.Repeat("(", 200),
	} {
		_, err := d.Files.List().Q(q).Do()
		if status, why := reason(t, err); status != 400 || why != "invalid" {
			t.Errorf("%s: %d %s", q, status, why)
		}
	}
}

func TestOrder(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := gdrive.Start(t, gdrive.Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
	root := s.User(ada)
	b := s.File(root, "b", []byte("1"))
	s.File(root, "a", []byte("22"))
	s.Folder(root, "c")
	s.Write(b, []byte("333"))
	d := client(t, s, ada)
	for order, want := range map[string]string{
		"name": "a b c", "name desc": "c b a", "folder,name": "c a b", "createdTime": "b a c", "modifiedTime desc": "b c a", "quotaBytesUsed": "c a b",
	} {
		for _, size := range []int64{1, 2, 10} {
			if got := strings.Join(names(t, d.Files.List().OrderBy(order).PageSize(size)), " "); got != want {
				t.Errorf("by %s, %d a page: %s, want %s", order, size, got, want)
			}
		}
	}
}
