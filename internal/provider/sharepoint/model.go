package sharepoint

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// fields are what is asked of items. A delta without "deleted" would show what
// was deleted as if it were there.
const fields = "id,name,size,eTag,cTag,file,folder,package,root,deleted,malware,remoteItem,parentReference,fileSystemInfo,lastModifiedDateTime"

// wireItem is a driveItem.
type wireItem struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Size   *int64 `json:"size"`
	ETag   string `json:"eTag"`
	CTag   string `json:"cTag"`
	WebURL string `json:"webUrl"`
	File   *struct {
		MIME   string `json:"mimeType"`
		Hashes struct {
			QuickXor string `json:"quickXorHash"`
		} `json:"hashes"`
	} `json:"file"`
	Folder  *struct{} `json:"folder"`
	Root    *struct{} `json:"root"`
	Deleted *struct{} `json:"deleted"`
	Malware *struct{} `json:"malware"`
	Remote  *struct{} `json:"remoteItem"`
	Package *struct{} `json:"package"`
	Parent  struct {
		DriveID string `json:"driveId"`
		ID      string `json:"id"`
		Path    string `json:"path"`
	} `json:"parentReference"`
	FileSystem struct {
		Modified time.Time `json:"lastModifiedDateTime"`
	} `json:"fileSystemInfo"`
	Created    time.Time `json:"createdDateTime"`
	Modified   time.Time `json:"lastModifiedDateTime"`
	CreatedBy  identity  `json:"createdBy"`
	ModifiedBy identity  `json:"lastModifiedBy"`

	// Download is a pre-authenticated address: whoever has it can read the file.
	Download secret.String `json:"@microsoft.graph.downloadUrl"`
}

// holds says whether there may be items below. A package, such as a notebook, has
// no content, and its files are items of their own.
func (w *wireItem) holds() bool {
	return w.Remote == nil && (w.Folder != nil || w.Package != nil || w.Root != nil)
}

func (w *wireItem) size() int64 {
	if w.Size == nil || *w.Size < 0 {
		return -1
	}
	return *w.Size
}

const quickXorSize = 20

// quickXor is the content's hash, nil where there is none.
func (w *wireItem) quickXor() []byte {
	if w.File == nil {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(w.File.Hashes.QuickXor)
	if err != nil || len(b) != quickXorSize {
		return nil
	}
	return b
}

// versions are the marks of the item's content, the best one first.
func (w *wireItem) versions() (out []string) {
	size := ":" + strconv.FormatInt(w.size(), 10)
	if w.quickXor() != nil {
		out = append(out, "q"+w.File.Hashes.QuickXor+size)
	}
	if w.ETag != "" {
		out = append(out, "e"+w.ETag+size)
	}
	if w.CTag != "" {
		out = append(out, "c"+w.CTag+size)
	}
	return out
}

// is says whether the item is still at a version that was listed, perhaps before
// its hash was known.
func (w *wireItem) is(version string) bool {
	for _, v := range w.versions() {
		if v == version {
			return true
		}
	}
	return false
}

// skip says why an item can't be read.
func (w *wireItem) skip() string {
	switch {
	case w.Remote != nil:
		return "remote_item"
	case w.Package != nil:
		return "package"
	case w.holds():
		return ""
	case w.Malware != nil:
		return "malware"
	case w.File == nil:
		return "no_file"
	case len(w.versions()) == 0:
		return "no_version"
	}
	return ""
}

// item describes an item of the place's library.
func (p place) item(w *wireItem) driver.Item {
	it := driver.Item{
		ID: idOf(p.drive, w.ID), Name: w.Name, Folder: w.holds(), Parent: p.parent(w.Parent.ID), Size: w.size(), Skip: w.skip(),
		ModifiedAt: w.FileSystem.Modified.UTC(),
	}
	if w.FileSystem.Modified.IsZero() {
		it.ModifiedAt = w.Modified.UTC()
	}
	if it.Folder {
		it.Size, it.ModifiedAt = -1, time.Time{}
		return it
	}
	if v := w.versions(); len(v) > 0 {
		it.Version = v[0]
	}
	if w.File != nil {
		it.MIME = w.File.MIME
	}
	return it
}

// parent names a folder as items below it do.
func (p place) parent(folder string) string {
	if folder == p.folder {
		return ""
	}
	return idOf(p.drive, folder)
}

// idOf is the id of an item: Graph's are unique within their library.
func idOf(drive, item string) string { return drive + "/" + item }

// split takes an id apart. A dot segment is no part of one: it would be resolved
// away on the way, and another address be asked.
func split(id string) (drive, item string, ok bool) {
	drive, item, ok = strings.Cut(id, "/")
	return drive, item, ok && named(drive) && named(item) && !strings.Contains(item, "/")
}

func named(s string) bool { return s != "" && s != "." && s != ".." }

// address is where an item is to be asked for.
func address(drive, item string) string { return "/drives" + escape([]string{drive, "items", item}) }
