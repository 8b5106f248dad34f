//go:build interop

package gdrive

import (
	"testing"

	"mooring/emulator/gdrive"
)

const (
	ada   = "ada@example.com"
	bob   = "bob@example.com"
	robot = "robot@emulator.iam.gserviceaccount.com"
	docx  = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
)

const (
	bigSeed = 7
	bigSize = 300_000
)

// world is a drive of a user and a shared one, with all kinds of things in them.
type world struct {
	*gdrive.Server
	key                          []byte // of a service account that may impersonate ada
	root, docs, text, big, empty string
	plan, abusive, team, teamDoc string
}

func build(t *testing.T, opts ...gdrive.Options) *world {
	s := gdrive.Start(t, opts...)
	w := &world{Server: s, root: s.User(ada), key: s.ServiceAccount(robot, ada)}
	w.docs = s.Folder(w.root, "docs")
	w.text = s.File(w.docs, "a.txt", []byte("ahoy\n"))
	s.File(w.docs, `it's \ "odd" & ü.txt`, []byte("odd"))
	s.File(w.docs, "with/slash.csv", []byte("1,2\n"))
	w.empty = s.File(w.docs, "empty.txt", nil)
	w.big = s.Generated(s.Folder(w.docs, "deep"), "big.bin", bigSeed, bigSize)
	w.plan = s.Document(w.docs, "Plan", "document", map[string][]byte{docx: []byte("the plan, exported")})
	s.Shortcut(w.root, "link.txt", w.text)
	s.Shortcut(w.root, "linked", s.Folder(w.docs, "target"))
	s.Trash(s.File(w.docs, "trashed.txt", []byte("gone")))
	w.abusive = s.File(w.root, "malware.exe", []byte("boo"))
	s.MarkAbusive(w.abusive)
	w.team = s.SharedDrive("Team", ada)
	w.teamDoc = s.File(s.Folder(w.team, "plans"), "shared.txt", []byte("for all of us"))
	return w
}
