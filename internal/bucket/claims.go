package bucket

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"mooring/internal/id"
	"mooring/internal/key"
)

// What names stand for has key spaces of its own for files and for folders, so
// that a file "a" and a folder "a" of one source are two claims, and the second
// to be reserved gets a suffix. '/' ends an id: no id holds one.

// FileSource is what the name of an object's file stands for.
func FileSource(o id.Object) key.Key { return key.Key("o/" + string(o)) }

// FolderSource is what the name of a folder stands for that a source knows by
// its path alone, as a prefix of S3. The path has to be unique within the
// connection.
func FolderSource(c id.Connection, path string) key.Key {
	return key.Key("p/" + string(c) + "/" + path)
}

// FolderIDSource is the same for a folder that its source knows by an id, where
// two folders of one parent may bear the same name.
func FolderIDSource(c id.Connection, folder string) key.Key {
	return key.Key("f/" + string(c) + "/" + folder)
}

// Folder is one ancestor of a source path.
type Folder struct {
	Source    key.Key
	Component string // raw, to be given to Claim
}

// SplitPath takes a source path apart at its slashes: the ancestors from the
// root down, and the raw component of the file itself. Nothing is dropped:
// every slash separates two components, of which either may be empty.
func SplitPath(c id.Connection, path string) (folders []Folder, file string) {
	start := 0
	for i := range len(path) {
		if path[i] == '/' {
			folders = append(folders, Folder{Source: FolderSource(c, path[:i]), Component: path[start:i]})
			start = i + 1
		}
	}
	return folders, path[start:]
}

const (
	shortHash = 8
	longHash  = 32
	// A suffixed component has at least this many readable bytes; where there is
	// less room, the item is moved up to the bucket's root.
	minStem = 8
	// Extensions up to this length survive shortening, so that programs which
	// go by them still open the file.
	maxExtension = 16
)

// Claim proposes names for a file or folder below parent, the recorded name of
// its folder ("" at the root), in order of preference:
//
//	report.pdf
//	report~1a2b3c4d.pdf       when that is taken
//	report~1a2b3c4d….pdf      32 digits, when even that is taken
//
// The digits are of the SHA-256 of source. A component that is too long for the
// destination is shortened, and then always carries digits. Where the parent
// leaves no room within MaxPath, the item is proposed for the root of the
// bucket, also with digits: names are opaque, so nothing depends on a file
// standing below its folder.
func (n Names) Claim(parent string, source key.Key, raw string) Claim {
	sum := sha256.Sum256([]byte(source))
	digits := hex.EncodeToString(sum[:])
	component := n.Component(raw)
	c := Claim{Source: source}
	room := n.room(parent)
	if len(component) <= room {
		c.Candidates = append(c.Candidates, n.candidate(parent, component))
	}
	if room < minStem+1+longHash+maxExtension {
		parent, room = "", n.room("")
	}
	for _, length := range []int{shortHash, longHash} {
		c.Candidates = append(c.Candidates, n.candidate(parent, shorten(component, "~"+digits[:length], room)))
	}
	return c
}

func (n Names) candidate(parent, component string) Candidate {
	name := component
	if parent != "" {
		name = parent + "/" + component
	}
	return Candidate{Name: name, Folded: n.Fold(name)}
}

// room is the number of bytes that a component below parent may have.
func (n Names) room(parent string) int {
	room := n.Rules.MaxComponent
	if room <= 0 {
		room = 255
	}
	if n.Rules.MaxPath > 0 {
		left := n.Rules.MaxPath
		if parent != "" {
			left -= len(parent) + 1
		}
		room = min(room, left)
	}
	return room
}

// shorten puts suffix before the extension and cuts the stem so that the whole
// has at most room bytes. It cuts no character and no escape in two.
func shorten(component, suffix string, room int) string {
	suffix = suffix[:min(len(suffix), room)]
	stem, ext := splitExtension(component)
	if len(suffix)+len(ext) > room {
		ext = ""
	}
	return cut(stem, max(room-len(suffix)-len(ext), 0)) + suffix + ext
}

func splitExtension(component string) (stem, ext string) {
	i := strings.LastIndexByte(component, '.')
	if i <= 0 || len(component)-i > maxExtension || i == len(component)-1 {
		return component, ""
	}
	for _, c := range []byte(component[i+1:]) {
		if ('0' > c || c > '9') && ('a' > c || c > 'z') && ('A' > c || c > 'Z') {
			return component, ""
		}
	}
	return component[:i], component[i:]
}

func cut(s string, length int) string {
	if len(s) <= length {
		return s
	}
	end := 0
	for end < length {
		size := 0
		switch {
		case strings.HasPrefix(s[end:], escapeNull):
			size = 2
		case s[end] == escapeMark:
			size = 3
		default:
			_, size = utf8.DecodeRuneInString(s[end:])
		}
		if end+size > length {
			break
		}
		end += size
	}
	return s[:end]
}
