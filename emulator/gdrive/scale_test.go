package gdrive_test

import (
	"fmt"
	"testing"

	"google.golang.org/api/drive/v3"

	"mooring/emulator/gdrive"
)

// A drive of many files is listed flat, by folder and by its log in about the time that
// the answers take: what is looked at does not grow with each page.
func TestManyFiles(t *testing.T) {
	files := 100_000
	if testing.Short() {
		files = 10_000
	}
	s := gdrive.Start(t)
	team := s.SharedDrive("Team", ada)
	d := client(t, s, ada)
	w, err := d.Changes.GetStartPageToken().DriveId(team).SupportsAllDrives(true).Do()
	must(t, err)
	var folder, last string
	for i := range files {
		if i%1000 == 0 {
			folder = s.Folder(team, fmt.Sprint("folder ", i/1000))
		}
		last = s.Generated(folder, fmt.Sprintf("file %06d", i), uint64(i), 1<<40)
	}
	want := files + files/1000

	got := 0
	list := d.Files.List().Corpora("drive").DriveId(team).SupportsAllDrives(true).IncludeItemsFromAllDrives(true).PageSize(1000).
		Q("trashed = false").Fields("nextPageToken,files(id,name,parents,size)")
	must(t, list.Pages(t.Context(), func(page *drive.FileList) error {
		got += len(page.Files)
		return nil
	}))
	if got != want {
		t.Errorf("%d are listed, want %d", got, want)
	}
	if got = len(names(t, list.Q("'"+folder+"' in parents"))); got != 1000 {
		t.Errorf("%d are in a folder", got)
	}

	got = 0
	changes := func(token string) *drive.ChangeList {
		page, err := d.Changes.List(token).DriveId(team).SupportsAllDrives(true).IncludeItemsFromAllDrives(true).PageSize(1000).
			Fields("nextPageToken,newStartPageToken,changes(fileId,changeType)").Do()
		must(t, err)
		return page
	}
	for token := w.StartPageToken; token != ""; {
		page := changes(token)
		got += len(page.Changes)
		token, w.StartPageToken = page.NextPageToken, page.NewStartPageToken
	}
	if got != want {
		t.Errorf("%d changes, want %d", got, want)
	}
	s.Rename(last, "renamed")
	page := changes(w.StartPageToken)
	if len(page.Changes) != 1 || page.Changes[0].FileId != last {
		t.Errorf("one more change gives %+v", page.Changes)
	}
}
