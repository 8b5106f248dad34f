package gdrive_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"mooring/emulator/gdrive"
)

// watch follows a log from where it is when it is made.
type watch struct {
	t     *testing.T
	d     *drive.Service
	token string
	drive string
	opts  []googleapi.CallOption
}

// newWatch follows the log of a user, or that of a shared drive, with all flags set.
func newWatch(t *testing.T, s *gdrive.Server, email, driveID string, opts ...googleapi.CallOption) *watch {
	t.Helper()
	d := client(t, s, email)
	start, err := d.Changes.GetStartPageToken().DriveId(driveID).SupportsAllDrives(true).Do()
	must(t, err)
	return &watch{t: t, d: d, token: start.StartPageToken, drive: driveID, opts: opts}
}

// plain asks as a client does that knows nothing of shared drives.
var plain = []googleapi.CallOption{
	googleapi.QueryParameter("supportsAllDrives", "false"), googleapi.QueryParameter("includeItemsFromAllDrives", "false"),
}

// next returns what has changed, in short: + and the name, - and the id for what has
// gone, t for what is in the trash (T when it was put there itself), d for drives.
func (w *watch) next() []string {
	w.t.Helper()
	out := []string{}
	for {
		call := w.d.Changes.List(w.token).SupportsAllDrives(true).IncludeItemsFromAllDrives(true).PageSize(2).
			Fields("nextPageToken,newStartPageToken,changes(changeType,removed,fileId,driveId,drive/name,file(id,name,trashed,explicitlyTrashed))")
		if w.drive != "" {
			call.DriveId(w.drive)
		}
		page, err := call.Do(w.opts...)
		must(w.t, err)
		for _, c := range page.Changes {
			out = append(out, short(c))
		}
		if (page.NextPageToken == "") == (page.NewStartPageToken == "") {
			w.t.Fatalf("not exactly one token: %+v", page)
		}
		if page.NewStartPageToken != "" {
			w.token = page.NewStartPageToken
			return out
		}
		w.token = page.NextPageToken
	}
}

func short(c *drive.Change) string {
	switch {
	case c.ChangeType == "drive" && c.Removed:
		return "d-" + c.DriveId
	case c.ChangeType == "drive":
		return "d+" + c.Drive.Name
	case c.Removed && c.File != nil:
		return "-" + c.FileId + "+" + c.File.Name
	case c.Removed:
		return "-" + c.FileId
	case c.File.ExplicitlyTrashed:
		return "T" + c.File.Name
	case c.File.Trashed:
		return "t" + c.File.Name
	}
	return "+" + c.File.Name
}

func (w *watch) expect(what string, want ...string) {
	w.t.Helper()
	if got := w.next(); !slices.Equal(got, append([]string{}, want...)) {
		w.t.Errorf("after %s the log says %q, want %q", what, got, want)
	}
}

func TestChangesOfADrive(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	w := newWatch(t, s, ada, "")
	w.expect("nothing")

	folder := s.Folder(root, "folder")
	a, b := s.File(folder, "a", nil), s.File(folder, "b", nil)
	w.expect("creation", "+folder", "+a", "+b")
	s.Write(a, []byte("new"))
	s.Rename(b, "bee")
	s.Write(a, []byte("newer"))
	w.expect("two changes of a file: one entry, at the place of the last", "+bee", "+a")
	s.Rename(folder, "renamed")
	w.expect("renaming a folder", "+renamed")
	s.Move(folder, s.Folder(root, "other"))
	w.expect("moving a folder", "+other", "+renamed")

	s.Trash(folder)
	w.expect("trashing a folder", "Trenamed")
	s.Touch(a)
	w.expect("touching what is in it", "ta")
	s.Trash(b)
	s.Restore(folder)
	w.expect("restoring the folder", "Tbee", "+renamed")
	s.Restore(b)
	s.Delete(folder)
	w.expect("deleting it", "-"+b, "-"+folder)
	w.expect("nothing")
}

func TestChangesAreTailoredToTheReader(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	s.User(bob)
	folder := s.Folder(root, "folder")
	file := s.File(folder, "file", nil)
	hers, his := newWatch(t, s, ada, ""), newWatch(t, s, bob, "")

	s.Touch(file)
	hers.expect("an edit", "+file")
	his.expect("an edit of what he can't see")
	s.Share(folder, bob)
	hers.expect("sharing", "+folder")
	his.expect("being given a folder", "+folder")
	s.Touch(file)
	his.expect("an edit in it", "+file")
	s.Unshare(folder, bob)
	s.Touch(folder)
	his.expect("losing it", "-"+folder)
	s.Touch(file)
	his.expect("an edit of what he has lost")
	hers.expect("all that", "+folder", "+file")

	s.Share(file, bob)
	s.Share(file, eve)
	s.Unshare(file, bob)
	his.expect("a file given and taken", "-"+file)
	newWatch(t, s, eve, "").expect("nothing")
	if _, err := client(t, s, eve).Files.Get(file).Do(); err != nil {
		t.Errorf("what one has lost another has kept: %v", err)
	}

	mine := newWatch(t, s, bob, "", googleapi.QueryParameter("restrictToMyDrive", "true"))
	s.Share(folder, bob)
	mine.expect("being given a folder elsewhere")
	s.File(s.User(bob), "own", nil)
	mine.expect("an own file", "+own")

	kept := newWatch(t, s, bob, "", googleapi.QueryParameter("includeRemoved", "false"))
	s.Unshare(folder, bob)
	kept.expect("a loss nobody wants to hear of")
}

func TestChangesOfSharedDrives(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	team, crew := s.SharedDrive("Team", ada, bob), s.SharedDrive("Crew", ada)
	inTeam, inCrew := newWatch(t, s, ada, team), newWatch(t, s, ada, crew)
	all, blind, his := newWatch(t, s, ada, ""), newWatch(t, s, ada, "", plain...), newWatch(t, s, bob, "")

	folder := s.Folder(team, "folder")
	s.File(folder, "file", nil)
	inTeam.expect("creation", "+folder", "+file")
	inCrew.expect("creation elsewhere")
	all.expect("creation", "+folder", "+file")
	his.expect("creation", "+folder", "+file")
	blind.expect("creation where it does not look")

	s.Move(folder, crew)
	inTeam.expect("moving a folder to another drive", "-"+folder)
	inCrew.expect("moving a folder in", "+folder")
	all.expect("moving a folder between drives", "+folder")
	his.expect("moving a folder to where he is no member", "-"+folder)

	more := newWatch(t, s, ada, crew, googleapi.QueryParameter("includeCorpusRemovals", "true"))
	s.Move(folder, root)
	more.expect("moving out, removals with the file", "-"+folder+"+folder")
	blind.expect("moving into My Drive", "+folder")
	s.Move(folder, crew)
	blind.expect("moving out of My Drive", "-"+folder)
	s.Touch(folder)
	inCrew.expect("moving out and in again", "+folder")

	s.RenameDrive(team, "Tema")
	inTeam.expect("renaming a drive", "d+Tema")
	his.expect("renaming a drive", "d+Tema")
	s.RemoveMember(team, bob)
	his.expect("losing a drive: no word of what is in it", "d-"+team)
	s.AddMember(team, eve)
	newWatch(t, s, eve, "").expect("nothing")
	all.next()
	s.DeleteDrive(crew)
	all.expect("deleting a drive", "d-"+crew)
	blind.expect("deleting a drive it does not look at")
	_, err := inCrew.d.Changes.List(inCrew.token).DriveId(crew).SupportsAllDrives(true).IncludeItemsFromAllDrives(true).Do()
	if status, why := reason(t, err); status != 404 || why != "notFound" {
		t.Errorf("the log of a deleted drive gives %d %s", status, why)
	}
}

// Nothing is lost or repeated when things change between the pages of a log.
func TestChangesWhilePaging(t *testing.T) {
	s := gdrive.Start(t, gdrive.Options{PageSize: 1})
	root := s.User(ada)
	w := newWatch(t, s, ada, "")
	var ids []string
	for i := range 5 {
		ids = append(ids, s.File(root, fmt.Sprint(i), nil))
	}
	page, err := w.d.Changes.List(w.token).Do()
	must(t, err)
	if len(page.Changes) != 1 || page.Changes[0].File.Name != "0" {
		t.Fatalf("the first page is %+v", page)
	}
	s.Touch(ids[2])
	s.Touch(ids[0])
	w.token = page.NextPageToken
	w.expect("changes in between", "+1", "+3", "+4", "+2", "+0")
}

// A log that is long and much rewritten keeps its order and its tokens.
func TestLongLogs(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	var ids []string
	for _, name := range []string{"a", "b", "c", "d"} {
		ids = append(ids, s.File(root, name, nil))
	}
	w := newWatch(t, s, ada, "")
	s.Touch(ids[2])
	s.Touch(ids[1])
	s.Touch(ids[3])
	for range 1500 { // enough for one clean-up
		s.Touch(ids[0])
	}
	w.expect("1500 changes of one file", "+c", "+b", "+d", "+a")
	if !strings.HasPrefix(w.token, "~!!~") {
		t.Errorf("the token is %q", w.token)
	}
}
