package gdrive_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/emulator/gdrive"
)

func TestFields(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	s := gdrive.Start(t, gdrive.Options{Now: func() time.Time { return now }})
	root := s.User(ada)
	file := s.File(root, "a.txt", []byte("ahoy"))
	doc := s.Document(root, "Plan", "document", nil)
	form := s.Document(root, "Ask", "form", nil)
	link := s.Shortcut(root, "link", file)
	folder := s.Folder(root, "folder")
	team := s.SharedDrive("Team", ada)
	shared := s.File(team, "shared", nil)

	for _, tc := range []struct{ path, want string }{
		{"files/" + file, `{"kind":"drive#file","id":"` + file + `","name":"a.txt","mimeType":"text/plain"}`},
		{"files/" + shared + "?supportsAllDrives=true", `{"kind":"drive#file","id":"` + shared + `","name":"shared","mimeType":"application/octet-stream","driveId":"` + team + `","teamDriveId":"` + team + `"}`},
		{"files/" + file + "?fields=size,version,modifiedTime", `{"size":"4","version":"1","modifiedTime":"2026-01-02T03:04:05.678Z"}`},
		{"files/" + file + "?fields=md5Checksum,sha1Checksum,sha256Checksum",
			fmt.Sprintf(`{"md5Checksum":"%x","sha1Checksum":"%x","sha256Checksum":"%x"}`, md5.Sum([]byte("ahoy")), sha1.Sum([]byte("ahoy")), sha256.Sum256([]byte("ahoy")))},
		{"files/" + file + "?fields=parents,trashed,explicitlyTrashed,capabilities/canDownload", `{"parents":["` + root + `"],"trashed":false,"explicitlyTrashed":false,"capabilities":{"canDownload":true}}`},
		{"files/" + doc + "?fields=md5Checksum,headRevisionId,size,fileExtension", `{"size":"1024"}`},
		{"files/" + form + "?fields=id,exportLinks", `{"id":"` + form + `"}`},
		{"files/" + folder + "?fields=size,md5Checksum,quotaBytesUsed,capabilities(canDownload,canListChildren)", `{"quotaBytesUsed":"0","capabilities":{"canDownload":false,"canListChildren":true}}`},
		{"files/" + link + "?fields=size,shortcutDetails", `{"shortcutDetails":{"targetId":"` + file + `","targetMimeType":"text/plain"}}`},
		{"files/" + link + "?fields=shortcutDetails/targetId,md5Checksum", `{"shortcutDetails":{"targetId":"` + file + `"}}`},
		{"files/root?fields=id,name,parents", `{"id":"` + root + `","name":"My Drive"}`},
		{"files?fields=files/id,files(name)&pageSize=1", `{"files":[{"id":"` + file + `","name":"a.txt"}]}`},
		{"files?fields=kind,incompleteSearch", `{"kind":"drive#fileList","incompleteSearch":false}`},
		{"drives/" + team, `{"kind":"drive#drive","id":"` + team + `","name":"Team"}`},
		{"drives?fields=drives(name)", `{"drives":[{"name":"Team"}]}`},
		{"about?fields=user/emailAddress", `{"user":{"emailAddress":"ada@example.com"}}`},
		{"about?fields=user(me,displayName),storageQuota/limit", `{"user":{"me":true,"displayName":"ada"},"storageQuota":{"limit":"16106127360"}}`},
		{"files/" + file + "/permissions?fields=permissions(type,role,emailAddress)", `{"permissions":[{"type":"user","role":"owner","emailAddress":"ada@example.com"}]}`},
	} {
		answer := ask(t, s, ada, tc.path)
		var got, want map[string]any
		must(t, json.Unmarshal([]byte(answer.text), &got))
		must(t, json.Unmarshal([]byte(tc.want), &want))
		if diff := cmp.Diff(want, got); answer.status != 200 || diff != "" {
			t.Errorf("%s: %d (-want +got):\n%s", tc.path, answer.status, diff)
		}
	}
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	s := gdrive.Start(t)
	s.User(ada)
	token := start(t, s, "")
	for _, tc := range []struct{ path, bad string }{
		{"files?fields=files(id,title)", "title"}, {"files?fields=items", "items"}, {"files?fields=files(capabilities(canFly))", "canFly"},
		{"files?fields=files/id/x", "x"}, {"files/root?fields=files(id)", "files"}, {"changes?pageToken=" + token + "&fields=changes(file(title))", "title"},
		{"changes?pageToken=" + token + "&fields=*,changes(nonsense)", "nonsense"}, {"about?fields=me", "me"}, {"files?fields=*(nonsense)", "nonsense"},
		{"files?fields=files(", "files("}, {"files?fields=,", ","}, {"files?fields=files)", "files)"}, {"files?fields=a b", "a b"},
	} {
		answer := ask(t, s, ada, strings.ReplaceAll(tc.path, " ", url.QueryEscape(" ")))
		if answer.status != 400 || !strings.Contains(answer.text, "Invalid field selection "+tc.bad+`"`) {
			t.Errorf("%s gives %d %s", tc.path, answer.status, answer.text)
		}
	}
}

// All fields are those that can be asked for one by one.
func TestAllFields(t *testing.T) {
	s := gdrive.Start(t)
	file := s.File(s.User(ada), "a.txt", []byte("ahoy"))
	var all map[string]any
	must(t, json.Unmarshal([]byte(ask(t, s, ada, "files/"+file+"?fields=*").text), &all))
	var fields []string
	for name := range all {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	var some map[string]any
	must(t, json.Unmarshal([]byte(ask(t, s, ada, "files/"+file+"?fields="+strings.Join(fields, ",")).text), &some))
	if diff := cmp.Diff(all, some); diff != "" || len(all) < 20 {
		t.Errorf("%d fields (-all +some):\n%s", len(all), diff)
	}
}
