//go:build interop

package msgraph

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/emulator/msgraph"
	"mooring/test/binary"
)

// report is what the script prints first.
type report struct {
	Site, Drive, DriveType, Root string
	Files                        map[string]struct {
		Path         string
		Size         int64
		QuickXorHash string
	}
	Stat struct {
		ID     string
		Size   int64
		Parent string
		ETag   string
	}
	Content, Range string
	Direct         []any
	SHA256         map[string]string
	Permissions    []string
	Refusals       map[string]any
}

// changed is what it prints of each delta.
type changed struct {
	Pages int
	Items map[string]struct {
		Name, Parent string
		Size         int64
		Folder       bool
	}
	Status int
	Code   string
}

func TestMicrosoftSDK(t *testing.T) {
	w, script := startSDK(t)

	var r report
	script.read(&r)
	if r.Site != w.site || r.Drive != w.drive || r.DriveType != "documentLibrary" || r.Root != w.root {
		t.Errorf("the library is %s, %s, %s, %s", r.Site, r.Drive, r.DriveType, r.Root)
	}
	want := w.Snapshot(w.drive, w.root)
	if len(r.Files) != len(want) {
		t.Errorf("%d files, want %d", len(r.Files), len(want))
	}
	for id, e := range want {
		if f := r.Files[id]; f.Path != e.Path || f.Size != e.Size || f.QuickXorHash != e.QuickXorHash {
			t.Errorf("%+v, want %+v", f, e)
		}
		if sum, ok := r.SHA256[id]; ok != strings.HasPrefix(e.Path, "docs/") || ok && sum != e.SHA256 {
			t.Errorf("%s: the content has the SHA-256 %q, want %s", e.Path, sum, e.SHA256)
		}
	}
	if r.Stat.ID != w.report || r.Stat.Size != 14 || r.Stat.Parent != "/drives/"+w.drive+"/root:/docs" || r.Stat.ETag == "" {
		t.Errorf("the file is %+v", r.Stat)
	}
	if r.Content != "ahoy, harbour\n" || r.Range != "harbour" {
		t.Errorf("the content is %q, its part %q", r.Content, r.Range)
	}
	if got := fmt.Sprint(r.Direct); got != "[206 harbour\n]" {
		t.Errorf("the download URL gave %q", got)
	}
	if len(r.Permissions) != 1 || r.Permissions[0] != "owner" {
		t.Errorf("permissions: %v", r.Permissions)
	}
	if got := fmt.Sprint(r.Refusals["item"], r.Refusals["drive"]); got != "[404 itemNotFound] [404 itemNotFound]" {
		t.Errorf("refusals: %s", got)
	}
	if got := fmt.Sprint(r.Refusals["secret"]); !strings.Contains(got, "AADSTS7000215") {
		t.Errorf("a wrong secret: %s", got)
	}
	followDelta(t, w, script)
	if v := w.Violations(); len(v) > 0 {
		t.Errorf("violations: %v", v)
	}
}

// followDelta changes the library between deltas.
func followDelta(t *testing.T, w *world, script *script) {
	t.Helper()
	all := script.delta()
	if all.Pages < 2 || len(all.Items) != w.items() {
		t.Errorf("the enumeration took %d pages and found %d items, want %d", all.Pages, len(all.Items), w.items())
	}
	w.Write(w.drive, w.report, []byte("longer than it was"))
	w.Rename(w.drive, w.docs, "papers")
	w.Delete(w.drive, w.empty)
	fresh := w.File(w.drive, w.root, "fresh", []byte("new"))
	w.Move(w.drive, w.big, w.root)
	all = script.delta()
	if got := all.Items; len(got) != w.items() || got[w.report].Size != 18 || got[w.docs].Name != "papers" || got[w.big].Parent != w.root || got[fresh].Name != "fresh" {
		t.Errorf("after the changes: %+v, %+v, %+v, %+v", got[w.report], got[w.docs], got[w.big], got[fresh])
	}
	w.ExpireDeltas("resyncRequired")
	if got := script.delta(); got.Status != http.StatusGone || got.Code != "resyncRequired" {
		t.Errorf("a dead link: %+v", got)
	}
	w.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Nth: 1, Action: msgraph.Throttle(time.Second)})
	if all = script.delta(); len(all.Items) != w.items() {
		t.Errorf("anew: %d items, want %d", len(all.Items), w.items())
	}
}

// script is sdk.py, running.
type script struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
	log *strings.Builder
}

// startSDK serves a library over TLS, which the SDK insists on, and starts the
// script.
func startSDK(t *testing.T) (*world, *script) {
	t.Helper()
	python := tool(t, "MOORING_TEST_MSGRAPH_PYTHON")
	cert, ca := certificate(t)
	server := httptest.NewUnstartedServer(nil)
	o := msgraph.Documented()
	o.DownloadBase = "https://" + server.Listener.Addr().String() // another host name than that of the API
	s := msgraph.New(o)
	t.Cleanup(s.Close)
	server.Config.Handler, server.TLS = s, cert
	server.StartTLS()
	t.Cleanup(server.Close)
	s.URL = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	w := fill(s)

	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience) // the script ends after the test
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, python, "-E", "-s", "-B", "sdk.py")
	cmd.Env = append(binary.Env(t.TempDir()), "SSL_CERT_FILE="+caFile, "REQUESTS_CA_BUNDLE="+caFile,
		"GRAPH="+s.API(), "LOGIN="+s.LoginURL(), "TENANT="+tenant, "CLIENT="+client, "SECRET="+secret, "HOST="+host, "SITE=teams/harbour")
	r := &script{t: t, log: &strings.Builder{}}
	cmd.Stderr = r.log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = io.WriteString(in, "quit\n")
		if err := cmd.Wait(); err != nil {
			t.Errorf("the script: %v\n%s", err, r.log)
		}
	})
	r.in, r.out = in, bufio.NewScanner(out)
	r.out.Buffer(nil, 16<<20)
	return w, r
}

// read waits for a line of the script.
func (r *script) read(v any) {
	r.t.Helper()
	if !r.out.Scan() {
		r.t.Fatalf("the script said nothing: %v", r.out.Err())
	}
	if err := json.Unmarshal(r.out.Bytes(), v); err != nil {
		r.t.Fatalf("the script said %q: %v", r.out.Bytes(), err)
	}
}

func (r *script) delta() changed {
	r.t.Helper()
	if _, err := io.WriteString(r.in, "delta\n"); err != nil {
		r.t.Fatal(err)
	}
	var c changed
	r.read(&c)
	return c
}
