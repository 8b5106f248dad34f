package gdrive_test

import (
	"testing"

	"mooring/emulator/gdrive"
)

func TestReadATree(t *testing.T) {
	s := gdrive.Start(t)
	root := s.User(ada)
	key := s.ServiceAccount(robo, ada)
	folder := s.Folder(root, "reports")
	file := s.File(folder, "a/b.txt", []byte("ahoy"))

	d := robot(t, s, key, ada)
	list, err := d.Files.List().Q("'" + folder + "' in parents and trashed = false").Fields("files(id,name,size,parents,sha256Checksum)").Do()
	must(t, err)
	if len(list.Files) != 1 || list.Files[0].Id != file || list.Files[0].Name != "a/b.txt" || list.Files[0].Size != 4 ||
		list.Files[0].Parents[0] != folder || list.Files[0].Sha256Checksum != s.Snapshot(root)[file].SHA256 {
		t.Errorf("the list is %+v", list.Files[0])
	}
	resp, err := d.Files.Get(file).Download()
	if got := body(t, resp, err); got != "ahoy" {
		t.Errorf("the content is %q", got)
	}

	start, err := d.Changes.GetStartPageToken().Do()
	must(t, err)
	s.Write(file, []byte("ahoy again"))
	changes, err := d.Changes.List(start.StartPageToken).Do()
	must(t, err)
	if len(changes.Changes) != 1 || changes.Changes[0].FileId != file || changes.Changes[0].File.Name != "a/b.txt" || changes.NewStartPageToken == "" {
		t.Errorf("the changes are %+v", changes)
	}
}
