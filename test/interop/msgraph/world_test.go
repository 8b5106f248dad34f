//go:build interop

package msgraph

import (
	"fmt"
	"os"
	"testing"

	"mooring/emulator/msgraph"
)

const (
	tenant = "7d1f3a52-0000-4000-8000-00000000000a"
	client = "0b5f7c1e-0000-4000-8000-00000000000b"
	secret = "a~client.secret-with_odd+signs/="
	host   = "contoso.sharepoint.com"
	user   = "ada@contoso.example"
)

// world is a library that has something of everything.
type world struct {
	*msgraph.Server
	site, drive, root   string
	docs, report, big   string
	outside             string
	targetDrive         string
	targetFolder, empty string
}

const bigSize = 3 << 20

// fill builds the library. Folders come before what is in them, which rclone
// relies on.
func fill(s *msgraph.Server) *world {
	s.App(tenant, client, secret)
	w := &world{Server: s, site: s.Site(tenant, host, "/teams/harbour")}
	w.drive = s.Drive(w.site)
	w.root = s.Root(w.drive)
	w.docs = s.Folder(w.drive, w.root, "docs")
	w.report = s.File(w.drive, w.docs, "report.txt", []byte("ahoy, harbour\n"))
	w.big = s.Generated(w.drive, w.docs, "big.bin", 7, bigSize)
	w.empty = s.File(w.drive, w.docs, "empty", nil)
	odd := s.Folder(w.drive, w.docs, "100% #1 & ü+é 日本")
	s.File(w.drive, odd, "a;b=c@d,e'f!(g)[h]{i}$.tar.gz", []byte("odd"))
	s.File(w.drive, odd, "%41%2F", []byte("not decoded twice"))
	many := s.Folder(w.drive, w.root, "many")
	for n := range 250 { // some pages
		s.Generated(w.drive, many, fmt.Sprintf("file-%04d", n), int64(n), int64(n))
	}
	s.Package(w.drive, w.root, "Notes", "oneNote")

	w.targetDrive = s.Library(w.site, "Elsewhere")
	w.targetFolder = s.Folder(w.targetDrive, s.Root(w.targetDrive), "shared")
	w.outside = s.File(w.targetDrive, w.targetFolder, "outside.txt", []byte("elsewhere"))
	return w
}

// tool is the path of a program that make interop builds; a test can't do without.
func tool(t *testing.T, env string) string {
	t.Helper()
	path := os.Getenv(env)
	if path == "" {
		t.Fatalf("%s is not set: run make interop", env)
	}
	return path
}

// items is how many items the library holds: the root, its four folders, and the
// files.
func (w *world) items() int { return 5 + len(w.Snapshot(w.drive, w.root)) }
