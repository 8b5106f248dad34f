package gdrive

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	drive "google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"mooring/internal/provider/driver"
)

// fileFields are asked for of each file.
const fileFields = "id,name,mimeType,parents,trashed,driveId,size,md5Checksum,sha256Checksum,modifiedTime,version,headRevisionId," +
	"shortcutDetails(targetId,targetMimeType),capabilities(canDownload)"

const (
	listFields   googleapi.Field = "nextPageToken,incompleteSearch,files(" + fileFields + ")"
	changeFields googleapi.Field = "nextPageToken,newStartPageToken,changes(changeType,removed,fileId,driveId,file(" + fileFields + "))"
)

// Why an item can't be read.
const (
	skipForbidden = "download_forbidden"
	skipExport    = "not_exportable"
	skipDangling  = "shortcut_dangling"
	skipLoop      = "shortcut_loop"
	skipInScope   = "shortcut_in_scope"
	skipTwice     = "shortcut_duplicate"
	skipMany      = "too_many_shortcuts"
)

func isFolder(f *drive.File) bool   { return f.MimeType == mimeFolder }
func isShortcut(f *drive.File) bool { return f.MimeType == mimeShortcut && f.ShortcutDetails != nil }

// parentOf is the folder of a file, "" when the account can't see one.
func parentOf(f *drive.File) string {
	if len(f.Parents) == 0 {
		return ""
	}
	return f.Parents[0]
}

// folderItem describes a folder.
func (p place) folderItem(f *drive.File) driver.Item {
	return driver.Item{ID: f.Id, Name: nameOf(f), Folder: true, Parent: p.rel(parentOf(f)), Size: -1, ModifiedAt: timeOf(f.ModifiedTime), MIME: f.MimeType}
}

// rel is a folder's id as an item's Parent.
func (p place) rel(folder string) string {
	if folder == p.root {
		return ""
	}
	return folder
}

// item describes a file or folder. Of a shortcut it knows nothing.
func (s *source) item(ctx context.Context, p place, f *drive.File) (driver.Item, error) {
	if isFolder(f) {
		return p.folderItem(f), nil
	}
	it := driver.Item{
		ID: f.Id, Name: nameOf(f), Parent: p.rel(parentOf(f)), Size: f.Size, Version: versionOf(f),
		ModifiedAt: timeOf(f.ModifiedTime), MIME: f.MimeType,
	}
	if native(f) {
		to, ok, err := s.format(ctx, f.MimeType)
		if err != nil {
			return it, err
		}
		it.Size = -1
		if ok {
			it.MIME = to.mime
			it.Version += "/" + to.ext
			it.Name = withExt(it.Name, to.ext)
		} else {
			it.Skip = skipExport
		}
	}
	if it.Skip == "" && f.Capabilities != nil && !f.Capabilities.CanDownload {
		it.Skip = skipForbidden
	}
	return it, nil
}

// nameOf is a file's name. Drive lets it be empty.
func nameOf(f *drive.File) string {
	if f.Name == "" {
		return f.Id
	}
	return f.Name
}

func withExt(name, ext string) string {
	if strings.HasSuffix(strings.ToLower(name), "."+ext) {
		return name
	}
	return name + "." + ext
}

// versionOf changes whenever the content does. Content of the same checksum is
// the same, however often it was uploaded. Documents have none, and Drive's own
// counter, which also counts what nobody sees.
func versionOf(f *drive.File) string {
	switch {
	case native(f):
		return "v" + strconv.FormatInt(f.Version, 10) + "/" + f.ModifiedTime
	case f.Md5Checksum != "":
		return "md5:" + f.Md5Checksum + "/" + strconv.FormatInt(f.Size, 10)
	case f.Sha256Checksum != "":
		return "sha256:" + f.Sha256Checksum
	case f.HeadRevisionId != "":
		return "r:" + f.HeadRevisionId
	}
	return "v" + strconv.FormatInt(f.Version, 10) + "/" + f.ModifiedTime
}

// checksumsOf are those that Drive has of a file's content.
func checksumsOf(f *drive.File) (sums []driver.Checksum) {
	for _, c := range []struct {
		name, value string
		size        int
	}{{"sha256", f.Sha256Checksum, 32}, {"md5", f.Md5Checksum, 16}} {
		if b, err := hex.DecodeString(c.value); err == nil && len(b) == c.size {
			sums = append(sums, driver.Checksum{Algorithm: c.name, Value: b, Certain: true})
		}
	}
	return sums
}

// timeOf reads a time of the API; one that can't be read is none.
func timeOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
