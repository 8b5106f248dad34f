package sharepoint_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"mooring/emulator/msgraph"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

var downloads = msgraph.On(msgraph.Download)

// An address that has expired is asked for anew, and after that the file is at fault.
func TestDownloadAddressesExpire(t *testing.T) {
	for _, status := range []int{401, 403, 404} {
		g := start(t)
		g.File(g.drive, g.Root(g.drive), "f", []byte("content"))
		src := g.opened()
		it := g.item(src, "f")
		g.Inject(msgraph.Fault{Match: downloads, Times: 2, Action: msgraph.DownloadRefused(status)})
		if got, err := read(t, src, it, 3); err != nil || got != "tent" {
			t.Errorf("%d twice: %q, %v", status, got, err)
		}
		if n := g.Count(msgraph.Token); n != 1 {
			t.Errorf("%d of the content's host made %d tokens", status, n)
		}
		g.Inject(msgraph.Fault{Match: downloads, Action: msgraph.DownloadRefused(status)})
		before := g.Count(msgraph.Download)
		_, err := src.Open(t.Context(), it, 0)
		want := errs.PermissionDenied
		if status == 404 {
			want = errs.NotFound
		}
		kind(t, err, want, errs.ScopeObject)
		if n := g.Count(msgraph.Download) - before; n != 3 {
			t.Errorf("%d: tried %d times, want 3", status, n)
		}
		preauthenticated(t, err)
	}
}

// preauthenticated looks for what must not be in an error, printed in any way.
func preauthenticated(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			if strings.Contains(text, "tempauth") || strings.Contains(text, "/download") || strings.Contains(text, "?") {
				t.Errorf("an address is in %s", text)
			}
		}
	}
}

func TestNoErrorHoldsADownloadAddress(t *testing.T) {
	g := start(t)
	g.File(g.drive, g.Root(g.drive), "f", bytes.Repeat([]byte("content"), 10_000))
	src := g.opened()
	it := g.item(src, "f")
	if strings.Contains(fmt.Sprintf("%+v", it), "://") {
		t.Errorf("an address is in the item: %+v", it)
	}
	for name, action := range map[string]msgraph.Action{
		"drop": msgraph.Drop(), "reset": msgraph.ResetAfter(10), "short": msgraph.ShortBody(10), "throttle": msgraph.Throttle(0), "gateway": msgraph.GatewayError(502),
		"refused": msgraph.DownloadRefused(401), "echo": msgraph.EchoCredentials(),
	} {
		t.Run(name, func(t *testing.T) {
			g.ClearFaults()
			g.Inject(msgraph.Fault{Match: downloads, Action: action})
			_, err := read(t, src, it, 0)
			if err == nil {
				t.Fatal("no error")
			}
			preauthenticated(t, err)
		})
	}
}

func TestDownloadsAreThrottled(t *testing.T) {
	g := start(t)
	g.File(g.drive, g.Root(g.drive), "f", []byte("content"))
	src := g.opened()
	it := g.item(src, "f")
	g.Inject(msgraph.Fault{Match: downloads, Action: msgraph.Throttle(7e9)})
	_, err := src.Open(t.Context(), it, 0)
	if e := kind(t, err, errs.Throttled, errs.ScopeConnection); e.RetryAfter != 7e9 {
		t.Errorf("wait %v", e.RetryAfter)
	}
}

func TestARangeMayBeIgnored(t *testing.T) {
	g := start(t)
	g.File(g.drive, g.Root(g.drive), "f", []byte("0123456789"))
	src := g.opened()
	it := g.item(src, "f")
	g.Inject(msgraph.Fault{Match: downloads, Action: msgraph.IgnoreRange()})
	for off := int64(0); off <= 10; off++ {
		if got, err := read(t, src, it, off); err != nil || got != "0123456789"[off:] {
			t.Errorf("from %d: %q, %v", off, got, err)
		}
	}
}

// A file that changes between the look at it and its download is not read as the
// one that was listed, whatever its new length.
func TestAFileChangesUnderTheReader(t *testing.T) {
	for _, content := range []string{"another length", "123"} {
		g := start(t)
		g.File(g.drive, g.Root(g.drive), "f", []byte("0123456789"))
		src := g.opened()
		it := g.item(src, "f")
		g.Inject(msgraph.Fault{Match: downloads, Times: 1, Action: msgraph.WriteFirst([]byte(content))})
		_, err := read(t, src, it, 0)
		kind(t, err, errs.Stale, errs.ScopeObject)
	}
}

func TestAFileIsDeletedUnderTheReader(t *testing.T) {
	g := start(t)
	id := g.File(g.drive, g.Root(g.drive), "f", []byte("0123456789"))
	src := g.opened()
	it := g.item(src, "f")
	g.Inject(msgraph.Fault{Match: downloads, Times: 1, Action: msgraph.Run(func() { g.Delete(g.drive, id) })})
	_, err := read(t, src, it, 0)
	kind(t, err, errs.NotFound, errs.ScopeObject)
}

// SharePoint may give an Office file with another length than it tells. Looking at
// it anew does not help: it is damaged, and not for ever new.
func TestAnotherLengthThanTold(t *testing.T) {
	src, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/bytes") {
			_, _ = w.Write([]byte("longer than told"))
			return
		}
		fmt.Fprintf(w, `{"id":"i","name":"f","size":3,"eTag":"e","file":{},"@microsoft.graph.downloadUrl":"http://%s/bytes"}`, r.Host)
	})
	_, err := src.Open(t.Context(), driver.Item{ID: "b!d/i", Version: "ee:3"}, 0)
	kind(t, err, errs.Corrupt, errs.ScopeObject)
}

// Without an address in the item, that of the content's redirect is used, and
// neither is sent the token.
func TestContentByRedirect(t *testing.T) {
	var bearer string
	src, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/bytes"):
			bearer = r.Header.Get("Authorization")
			_, _ = w.Write([]byte("abc"))
		case strings.HasSuffix(r.URL.Path, "/content"):
			w.Header().Set("Location", "http://"+r.Host+"/bytes?tempauth=1")
			w.WriteHeader(http.StatusFound)
		default:
			_, _ = w.Write([]byte(`{"id":"i","name":"f","size":3,"eTag":"e","file":{}}`))
		}
	})
	r, err := src.Open(t.Context(), driver.Item{ID: "b!d/i", Version: "ee:3"}, 0)
	must(t, err)
	got, err := io.ReadAll(r)
	if must(t, err); string(got) != "abc" || bearer != "" {
		t.Errorf("%q, with %q", got, bearer)
	}
	if sums := r.(driver.Checksummed).Checksums(); sums != nil {
		t.Errorf("checksums %v of a file that has none", sums)
	}
}

func TestBadDownloadAddresses(t *testing.T) {
	for _, bad := range []string{"", "x", "ftp://h/x", "http://u:p@h/x", "http://h:x/?tempauth=1", "file:///etc/passwd"} {
		src, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/content") {
				w.Header().Set("Location", bad)
				w.WriteHeader(http.StatusFound)
				return
			}
			_, _ = w.Write([]byte(`{"id":"i","name":"f","size":3,"eTag":"e","file":{}}`))
		})
		_, err := src.Open(t.Context(), driver.Item{ID: "b!d/i", Version: "ee:3"}, 0)
		kind(t, err, errs.Corrupt, errs.ScopeObject)
		preauthenticated(t, err)
	}
}

func TestBadRanges(t *testing.T) {
	for _, header := range []string{"", "bytes 5-9/10", "bytes 0-2/3", "bytes x", "bytes 2-9/11"} {
		src, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/bytes") {
				w.Header().Set("Content-Range", header)
				w.WriteHeader(http.StatusPartialContent)
				return
			}
			fmt.Fprintf(w, `{"id":"i","name":"f","size":10,"eTag":"e","file":{},"@microsoft.graph.downloadUrl":"http://%s/bytes"}`, r.Host)
		})
		_, err := src.Open(t.Context(), driver.Item{ID: "b!d/i", Version: "ee:10"}, 2)
		kind(t, err, errs.Corrupt, errs.ScopeObject)
	}
}
