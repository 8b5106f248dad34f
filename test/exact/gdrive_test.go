package exact_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/connection"
	"mooring/internal/provider/gdrive"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

const (
	driveReader = "reader@robots.example"
	driveOwner  = "owner@example.com"
	driveDocx   = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
)

// googleDrive is a drive with a folder that is synced, others beside it, and a
// model of what is in them.
type googleDrive struct {
	*emulator.Server
	t      testing.TB
	clock  *clock
	random *rand.Rand
	key    map[string]any // the reader's key file
	root   string         // of the drive

	scope   string
	folders []string // ids, the scope and two outside of it first; trashed ones too
	files   []string
	parent  map[string]string
	trashed []string
}

// newGoogleDrive makes one in a shared drive that the reader is a member of, or in
// another's My Drive of which only the scope is shared.
func newGoogleDrive(t testing.TB, seed uint64, sharedDrive bool, o emulator.Options) *googleDrive {
	t.Helper()
	d := &googleDrive{t: t, clock: newClock(), random: rand.New(rand.NewPCG(seed, 7)), parent: map[string]string{}}
	o.Now = d.clock.Now
	d.Server = emulator.Start(t, o)
	if err := json.Unmarshal(d.ServiceAccount(driveReader), &d.key); err != nil {
		t.Fatal(err)
	}
	if sharedDrive {
		d.root = d.SharedDrive("Team", driveOwner, driveReader)
	} else {
		d.root = d.User(driveOwner)
	}
	d.scope = d.Folder(d.root, "scope")
	if !sharedDrive {
		d.Share(d.scope, driveReader)
	}
	d.folders = []string{d.scope, d.Folder(d.root, "outside"), d.Folder(d.root, "elsewhere")}
	return d
}

// rig is a sync of a path as the reader sees it.
func (d *googleDrive) rig(path string, edit func(*syncing.Sync)) *rig {
	d.t.Helper()
	return newRig(d.t, setup{
		provider: "google_drive", open: gdrive.Open, path: path, clock: d.clock, edit: edit,
		endpoints: map[string]string{"api": d.API(), "token": d.TokenURL()}, config: map[string]any{"credentials": d.key},
	})
}

// want is what a fresh walk of a folder finds.
func (d *googleDrive) want(folder string) map[string]file {
	out := map[string]file{}
	for id, n := range d.Snapshot(folder) {
		switch {
		case n.IsFolder():
		case n.MimeType == "application/vnd.google-apps.document":
			out[id] = file{Path: n.Path + ".docx"}
		default:
			out[id] = file{Path: n.Path, Size: n.Size, SHA256: n.SHA256}
		}
	}
	return out
}

// name is one of few: Drive lets any number of files have the same.
func (d *googleDrive) name() string {
	return fmt.Sprintf("%s %d", []string{"Bericht", "ä", "a+b", "it's"}[d.random.IntN(4)], d.random.IntN(12))
}

func (d *googleDrive) content() []byte {
	return fmt.Appendf(nil, "%d %s", d.random.Uint64(), strings.Repeat("x", d.random.IntN(2000)))
}

// below says whether a folder is another one or in it.
func (d *googleDrive) below(folder, top string) bool {
	for ; folder != ""; folder = d.parent[folder] {
		if folder == top {
			return true
		}
	}
	return false
}

// step does one random thing.
func (d *googleDrive) step() {
	into := pick(d.random, d.folders)
	if d.random.IntN(4) == 0 {
		into = d.scope
	}
	switch do := d.random.IntN(24); {
	case do < 4 || len(d.files) < 8:
		d.file(into)
	case do < 6 && len(d.folders) < 40 || len(d.folders) < 8:
		id := d.Folder(into, d.name())
		d.folders, d.parent[id] = append(d.folders, id), into
	case do < 9:
		d.edit(pick(d.random, d.files))
	case do == 9:
		d.Rename(pick(d.random, d.files), d.name())
	case do == 10:
		d.Rename(pick(d.random, d.folders[3:]), d.name())
	case do < 14:
		d.move(pick(d.random, d.files), into)
	case do < 17:
		if id := pick(d.random, d.folders[3:]); !d.below(into, id) {
			d.move(id, into)
		}
	case do < 20:
		id := pick(d.random, slices.Concat(d.files, d.folders[3:]))
		d.Trash(id)
		d.trashed = append(d.trashed, id)
	case do < 22 && len(d.trashed) > 0:
		id := pick(d.random, d.trashed)
		d.Restore(id)
		d.trashed = slices.DeleteFunc(d.trashed, func(x string) bool { return x == id })
	case do == 22:
		d.delete(pick(d.random, d.files))
		if d.random.IntN(3) == 0 {
			d.delete(pick(d.random, d.folders[3:]))
		}
	default:
		d.Share(pick(d.random, slices.Concat(d.files, d.folders[1:])), driveReader)
		d.Unshare(pick(d.random, slices.Concat(d.files, d.folders[1:])), driveReader)
	}
}

func (d *googleDrive) file(into string) {
	var id string
	if d.random.IntN(6) == 0 {
		id = d.Document(into, d.name(), "document", nil)
	} else {
		id = d.File(into, d.name(), d.content())
	}
	d.files, d.parent[id] = append(d.files, id), into
}

func (d *googleDrive) edit(id string) {
	if n, ok := d.Snapshot(d.root)[id]; !ok || n.Size < 0 {
		d.Touch(id)
		return
	}
	d.Write(id, d.content())
}

func (d *googleDrive) move(id, into string) {
	d.Move(id, into)
	d.parent[id] = into
}

// delete takes an item away with all below it.
func (d *googleDrive) delete(id string) {
	d.Delete(id)
	keep := func(ids []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(x string) bool { return d.below(x, id) })
	}
	d.files, d.folders, d.trashed = keep(d.files), keep(d.folders), keep(d.trashed)
}

// trouble injects some random faults that pass.
func (d *googleDrive) trouble(n int) {
	every := emulator.On(emulator.FilesGet, emulator.FilesList, emulator.ChangesList, emulator.FilesDownload, emulator.FilesExport, emulator.StartPageToken)
	lists := emulator.On(emulator.FilesList, emulator.ChangesList)
	later := emulator.Match{Operations: lists.Operations[:1], If: func(r emulator.Request) bool { return r.Query.Get("pageToken") != "" }}
	changes, download := emulator.On(emulator.ChangesList), emulator.On(emulator.FilesDownload)
	faults := []emulator.Fault{
		{Match: every, Action: emulator.RateLimited()}, {Match: every, Action: emulator.TooManyRequests(3 * time.Second)},
		{Match: every, Action: emulator.InternalError()}, {Match: every, Action: emulator.Unavailable()}, {Match: every, Action: emulator.Drop()},
		{Match: every, Action: emulator.Run(d.step)},
		{Match: every, Action: emulator.ShortBody(5)},
		{Match: emulator.On(emulator.Token), Action: emulator.ReplyReason("temporarily_unavailable")},
		{Match: lists, Action: emulator.EmptyPage()}, {Match: lists, Action: emulator.DuplicateEntries()}, {Match: lists, Action: emulator.OverlapPages()},
		{Match: lists, Action: emulator.ReverseOrder()}, {Match: lists, Action: emulator.Run(d.step)},
		{Match: changes, Action: emulator.InvalidPageToken()}, {Match: later, Action: emulator.InvalidPageToken()},
		{Match: download, Action: emulator.IgnoreRange()}, {Match: download, Action: emulator.ChangeFirst()}, {Match: download, Action: emulator.CorruptByte(0)},
		{Match: download, Action: emulator.ReplyReason("downloadQuotaExceeded")},
	}
	d.Inject(emulator.Fault{Match: every, Nth: 1 + d.random.IntN(5), Action: emulator.ExpireTokens()})
	for _, i := range d.random.Perm(len(faults))[:n] {
		f := faults[i]
		f.After, f.Times = d.random.IntN(5), 1+d.random.IntN(2)
		d.Inject(f)
	}
}

// Whatever happens in a drive, after a sync the bucket holds what is in it.
func TestGoogleDriveIsExact(t *testing.T) {
	for _, c := range []struct {
		name        string
		seed        uint64
		sharedDrive bool
		whole       bool
		faults      bool
	}{
		{"shared drive", 0, true, true, false},
		{"folder of a shared drive", 101, true, false, false},
		{"folder that alone is shared", 2, false, false, false},
		{"shared drive, faults", 3, true, true, true},
		{"folder of a shared drive, faults", 4, true, false, true},
		{"folder that alone is shared, faults", 5, false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			rounds := 80
			if testing.Short() {
				rounds = 12
			}
			d := newGoogleDrive(t, c.seed, c.sharedDrive, emulator.Options{PageSize: 9})
			top := d.scope
			if c.whole {
				top = d.root
			}
			r := d.rig(top, nil)
			r.engine.Limits, r.deps.Tries = engine.Limits{Tries: 20}, 20 // several faults may meet one request
			for round := range rounds {
				for range 1 + d.random.IntN(25) {
					d.step()
				}
				if c.faults {
					d.trouble(1 + d.random.IntN(3))
					if _, err := r.run(context.Background()); err != nil && os.Getenv("EXACT_LOG") != "" {
						t.Logf("round %d: %v", round, err)
					}
					d.ClearFaults()
				}
				r.must()
				r.exact(d.want(top))
				if t.Failed() {
					t.Fatalf("in round %d, with %d dead letters", round, r.letters())
				}
			}
			if n := r.failures(); n != 0 {
				t.Errorf("%d failures count: %v", n, r.failed)
			}
		})
	}
}

// All shared drives and all their pages, with a document that is too large to be
// exported the usual way, for an account that nothing was delegated to.
func TestGoogleDriveReadsAllSharedDrives(t *testing.T) {
	const drives, pages, perPage = 25, 3, 20
	large := bytes.Repeat([]byte("0123456789ab"), 1<<20)
	sum := sha256.Sum256(large)
	d := newGoogleDrive(t, 1, true, emulator.Options{PageSize: perPage})
	for n := range drives {
		id := d.SharedDrive(fmt.Sprintf("Drive %d", n), driveOwner, driveReader)
		for i := range pages*perPage - 2 {
			d.File(id, fmt.Sprintf("file %d", i), d.content())
		}
		want := d.want(id)
		doc := d.Document(id, "large", "document", map[string][]byte{driveDocx: large})
		want[doc] = file{Path: "large.docx", SHA256: hex.EncodeToString(sum[:])}
		bad := d.File(id, "abusive", []byte("malware"))
		d.MarkAbusive(bad)

		r := d.rig(id, nil)
		run := r.must()
		r.exact(want)
		if run.Ledger.Synced != int64(len(want)) || run.Ledger.Failed != 1 || r.letters() != 1 {
			t.Errorf("drive %d: %v, %d dead letters", n, run.Ledger, r.letters())
		}
		if r.failures() != 0 {
			t.Errorf("drive %d: %d failures count", n, r.failures())
		}
	}
}

// Ten minutes of throttling are weather: the sync completes, nothing asks before it
// may, and nothing counts against the connection.
func TestGoogleDriveWaitsOutThrottling(t *testing.T) {
	for name, a := range map[string]emulator.Action{
		"429 with Retry-After":    emulator.TooManyRequests(20 * time.Second),
		"429 without Retry-After": emulator.TooManyRequests(0),
		"403":                     emulator.RateLimited(),
	} {
		t.Run(name, func(t *testing.T) {
			d := newGoogleDrive(t, 2, true, emulator.Options{PageSize: 10})
			for range 50 {
				d.File(d.scope, d.name(), d.content())
			}
			r := d.rig(d.scope, nil)
			end := d.clock.Now().Add(10 * time.Minute)
			var asked []time.Time
			d.Inject(emulator.Fault{Match: emulator.Match{Operations: []emulator.Operation{emulator.FilesGet, emulator.FilesList, emulator.FilesDownload}, If: func(q emulator.Request) bool {
				if q.Time.Before(end) {
					asked = append(asked, q.Time)
				}
				return q.Time.Before(end)
			}}, Action: a})
			runs := 0
			for ; runs < 60; runs++ {
				if run, err := r.run(context.Background()); err == nil && run.Ledger.Synced > 0 {
					break
				}
				d.clock.Advance(30 * time.Second) // the sync is put off, and due again
			}
			r.exact(d.want(d.scope))
			if runs == 60 || r.failures() != 0 || r.letters() != 0 {
				t.Errorf("%d runs, %d failures count, %d dead letters", runs, r.failures(), r.letters())
			}
			s, err := r.store.Connections().Get(context.Background(), r.org, r.conn.ID)
			if err != nil || s.Status != connection.Active {
				t.Errorf("the connection is %v, %v", s.Status, err)
			}
			if strings.Contains(name, "with Retry-After") {
				for i := 1; i < len(asked); i++ {
					if gap := asked[i].Sub(asked[i-1]); gap < 20*time.Second {
						t.Errorf("asked again after %v", gap)
					}
				}
			}
		})
	}
}
