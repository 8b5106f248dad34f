package s3_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	emulator "mooring/emulator/s3"
	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
)

var data = driver.Scope{Path: "data"}

func paths(items []driver.Item) (out []string) {
	for _, it := range items {
		out = append(out, it.Path)
	}
	return out
}

func equal[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestAPrefixIsAFolder(t *testing.T) {
	srv := start(t, emulator.Options{})
	for _, k := range []string{"a", "a/", "a/b", "a/b/c", "a-b", "a.b", "a0", "ab", "b"} {
		put(t, srv, k, "x")
	}
	must(t, srv.Put("data", "a/", nil, emulator.PutOptions{}))
	src := opened(t, srv)
	for scope, want := range map[string][]string{
		"data":     {"a", "a-b", "a.b", "a/", "a/b", "a/b/c", "a0", "ab", "b"},
		"data/":    {"a", "a-b", "a.b", "a/", "a/b", "a/b/c", "a0", "ab", "b"},
		"data/a":   {"a", "a/", "a/b", "a/b/c"},
		"data/a/":  {"a/", "a/b", "a/b/c"},
		"data/a/b": {"a/b", "a/b/c"},
		"data/a-":  nil,
		"data/b":   {"b"},
		"data/c":   nil,
	} {
		items := all(t, src, driver.Scope{Path: scope})
		equal(t, scope, paths(items), want)
	}
	for k, ok := range map[string]bool{"a": true, "a/": true, "a/b/c": true, "a-b": false, "ab": false, "b": false} {
		if _, err := src.Stat(t.Context(), driver.Scope{Path: "data/a"}, "data/"+k); (err == nil) != ok || !ok && !errs.Is(err, errs.NotFound) {
			t.Errorf("Stat of %s within data/a: %v", k, err)
		}
	}
	items := all(t, src, driver.Scope{Path: "data/a"})
	var rels []string
	for _, it := range items {
		rels = append(rels, it.Rel+"|"+it.Name+"|"+it.Skip)
	}
	equal(t, "rel, name and skip", rels, []string{"a|a|", "|a|directory_marker", "b|b|", "b/c|c|"})
}

func TestAPolicyForWhatIsBelowAPrefixIsEnough(t *testing.T) {
	srv := start(t, emulator.Options{})
	for _, k := range []string{"a", "a/b"} {
		put(t, srv, k, "x")
	}
	srv.Inject(emulator.Fault{
		Match:  emulator.Match{Operations: []emulator.Operation{emulator.ListObjectsV2}, If: func(r emulator.Request) bool { return !strings.HasPrefix(r.Prefix, "a/") }},
		Action: emulator.ReplyCode("AccessDenied"),
	})
	src := opened(t, srv)
	equal(t, "below", paths(all(t, src, driver.Scope{Path: "data/a"})), []string{"a/b"})
	if _, err := src.Check(t.Context(), "data/a"); err != nil {
		t.Error(err)
	}
}

func TestWhatCanNotBeReadIsSkipped(t *testing.T) {
	srv := start(t, emulator.Options{})
	want := map[string]string{}
	for class, skip := range map[string]string{
		"GLACIER": "archived_storage_class", "DEEP_ARCHIVE": "archived_storage_class",
		"STANDARD": "", "STANDARD_IA": "", "GLACIER_IR": "", "INTELLIGENT_TIERING": "",
	} {
		must(t, srv.Put("data", class, []byte("x"), emulator.PutOptions{StorageClass: class}))
		want[class] = skip
	}
	must(t, srv.Put("data", "dir/", nil, emulator.PutOptions{}))
	must(t, srv.Put("data", "full/", []byte("x"), emulator.PutOptions{}))
	must(t, srv.Put("data", "empty", nil, emulator.PutOptions{}))
	want["dir/"], want["full/"], want["empty"] = "directory_marker", "", ""
	src := opened(t, srv)
	for _, it := range all(t, src, data) {
		if it.Skip != want[it.Path] {
			t.Errorf("%s: %q, want %q", it.Path, it.Skip, want[it.Path])
		}
		st, err := src.Stat(t.Context(), data, it.ID)
		if err != nil || st.Skip != it.Skip || st.Version != it.Version {
			t.Errorf("Stat of %s: %+v, %v", it.Path, st, err)
		}
		if it.Skip == "archived_storage_class" {
			_, err := src.Open(t.Context(), it, 0)
			kind(t, err, errs.Conflict, errs.ScopeObject)
		}
	}
}

func TestListingsThatBreakTheOrder(t *testing.T) {
	for name, action := range map[string]emulator.Action{
		"reversed": emulator.UnorderedList(), "twice": emulator.DuplicateKeys(),
	} {
		srv := start(t, emulator.Options{})
		for i := range 20 {
			put(t, srv, fmt.Sprint("k", i), "x")
		}
		srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Action: emulator.Do(emulator.ListAtMost(6), action)})
		src := opened(t, srv)
		_, err := src.Changes(t.Context(), data, nil)
		if e := kind(t, err, errs.Corrupt, errs.ScopePath); e.Code != driver.CodeListOrder {
			t.Errorf("%s: code %q", name, e.Code)
		}
		met := map[string]bool{}
		for _, it := range all(t, src, driver.Scope{Path: "data", Unordered: true}) {
			met[it.ID] = true
		}
		if len(met) != 20 {
			t.Errorf("%s: %d items without relying on order", name, len(met))
		}
	}
}

func TestDirectoryBucketsHaveNoOrder(t *testing.T) {
	r := &recorder{}
	src := open(t, access("s3"), driver.Options{Transport: r, Endpoints: map[string]string{"api": "http://127.0.0.1:9"}})
	_, err := src.Changes(t.Context(), driver.Scope{Path: "fast--usw2-az1--x-s3/a"}, nil)
	if e := kind(t, err, errs.Corrupt, errs.ScopePath); e.Code != driver.CodeListOrder || len(r.urls) != 0 {
		t.Errorf("%+v", e)
	}
}

func TestOrderIsThatOfBytes(t *testing.T) {
	srv := start(t, emulator.Options{})
	want := []string{"A", "a", "é", "\uFFEE", "\U0001F600"}
	for _, k := range want {
		put(t, srv, k, "x")
	}
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Action: emulator.ListAtMost(1)})
	equal(t, "keys", paths(all(t, opened(t, srv), data)), want)
}

func TestServersThatDoNotEncodeKeys(t *testing.T) {
	srv := start(t, emulator.Options{})
	want := []string{"100%", "a b", "a%2Fb", "a+b", "é"}
	for _, k := range want {
		put(t, srv, k, "x")
	}
	srv.Inject(emulator.Fault{Action: emulator.IgnoreEncoding()})
	equal(t, "keys", paths(all(t, opened(t, srv), data)), want)
}

func TestKeysThatAreNotUTF8(t *testing.T) {
	srv := start(t, emulator.Options{})
	want := []string{"a\xff", "\xc3", "\xff\xfe"}
	for _, k := range want {
		put(t, srv, k, "content of "+k)
	}
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Action: emulator.ListAtMost(1)})
	src := opened(t, srv)
	items := all(t, src, data)
	equal(t, "keys", paths(items), want)
	for _, it := range items {
		if got, err := read(t, src, it, 0); got != "content of "+it.Path || err != nil {
			t.Errorf("%q: %q, %v", it.Path, got, err)
		}
	}
}

func TestEmptyPagesAndListsThatEndEarly(t *testing.T) {
	srv := start(t, emulator.Options{})
	for i := range 10 {
		put(t, srv, fmt.Sprint("k", i), "x")
	}
	src := opened(t, srv)
	srv.Inject(emulator.Fault{Action: emulator.ListAtMost(3)})
	p, err := src.Changes(t.Context(), data, nil)
	must(t, err)
	srv.ClearFaults()
	srv.Inject(emulator.Fault{Action: emulator.EmptyList()})
	if p, err = src.Changes(t.Context(), data, p.Next); err != nil || p.More || len(p.Changes) != 0 || !p.Snapshot {
		t.Errorf("%+v, %v", p, err)
	}

	pages := 0
	listed := func(n int) string {
		return fmt.Sprintf(`<Contents><Key>k%d</Key><Size>1</Size><ETag>"e"</ETag></Contents>`, n)
	}
	odd, _ := fakeList(t, func(start, token string) string {
		pages++
		switch {
		case start == "" && token == "":
			return listed(1) + `<IsTruncated>true</IsTruncated><NextContinuationToken>t1</NextContinuationToken>`
		case start == "k1":
			return `<IsTruncated>true</IsTruncated><NextContinuationToken>t2</NextContinuationToken>`
		case token == "t2":
			return listed(2) + `<IsTruncated>true</IsTruncated>`
		case start == "k2":
			return listed(3) + `<IsTruncated>false</IsTruncated>`
		}
		return "?"
	})
	equal(t, "over an empty page", paths(all(t, odd, data)), []string{"k1", "k2", "k3"})

	lost, _ := fakeList(t, func(string, string) string { return listed(1) + `<IsTruncated>true</IsTruncated>` })
	p, err = lost.Changes(t.Context(), driver.Scope{Path: "data", Unordered: true}, nil)
	if err != nil || p.More || !p.Incomplete {
		t.Errorf("truncated without a token: %+v, %v", p, err)
	}
	stuck, _ := fakeList(t, func(string, string) string {
		return listed(1) + `<IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>`
	})
	p, err = stuck.Changes(t.Context(), driver.Scope{Path: "data", Unordered: true}, nil)
	must(t, err)
	p, err = stuck.Changes(t.Context(), driver.Scope{Path: "data", Unordered: true}, p.Next)
	if err != nil || p.More || !p.Incomplete {
		t.Errorf("the same token again: %+v, %v", p, err)
	}
	// A server that does not know start-after gives the same page again.
	_, err = stuck.Changes(t.Context(), data, mustPage(stuck.Changes(t.Context(), data, nil)).Next)
	kind(t, err, errs.Corrupt, errs.ScopePath)
}

func mustPage(p driver.Page, err error) driver.Page {
	if err != nil {
		panic(err)
	}
	return p
}

func TestRangesBeginAnywhere(t *testing.T) {
	srv := start(t, emulator.Options{})
	r := rand.New(rand.NewPCG(1, 2))
	letters := []rune{' ', '!', '/', '0', 'a', '~', '\u007f', 'é', '\uD7FF', '\uE000', '\U0010FFFF'}
	text := func() string {
		var b strings.Builder
		for range r.IntN(5) + 1 {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	var keys []string
	for range 200 {
		k := text()
		if r.IntN(4) == 0 {
			k += "\x00"
		}
		keys = append(keys, k)
		put(t, srv, k, "x")
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	srv.Inject(emulator.Fault{Action: emulator.ListAtMost(20)})
	src := opened(t, srv)
	for range 60 {
		from, to := text(), text()
		if r.IntN(3) == 0 {
			from = keys[r.IntN(len(keys))]
		}
		var want []string
		for _, k := range keys {
			if k >= from && k < to {
				want = append(want, k)
			}
		}
		got := paths(all(t, src, driver.Scope{Path: "data", From: key.Key("data/" + from), To: key.Key("data/" + to)}))
		equal(t, fmt.Sprintf("[%q, %q)", from, to), got, want)
	}
	srv.ResetRequests()
	if n := len(all(t, src, driver.Scope{Path: "data", To: key.Key("data/" + keys[3])})); n != 3 || srv.Count() != 1 {
		t.Errorf("%d items by %d requests: it is listed on behind the range", n, srv.Count())
	}
	// Bounds that are not of this bucket.
	for _, c := range []struct {
		from, to key.Key
		n        int
	}{{"a", "z", len(keys)}, {"dat", "", len(keys)}, {"e", "", 0}, {"", "d", 0}, {"data", "data0", len(keys)}} {
		if got := all(t, src, driver.Scope{Path: "data", From: c.from, To: c.to}); len(got) != c.n {
			t.Errorf("[%q, %q): %d items, want %d", c.from, c.to, len(got), c.n)
		}
	}
}

func TestSplitsAreFoundByFewProbes(t *testing.T) {
	for name, y := range map[string]struct {
		keys  int
		key   func(int) string
		parts int // at least so many of 8
	}{
		"numbers":      {1_000_000, nil, 8},
		"deep":         {100_000, func(i int) string { return fmt.Sprintf("a/very/deep/common/prefix/of/all/the/keys/2026/%06d.jpg", i) }, 8},
		"folders":      {60_000, func(i int) string { return fmt.Sprintf("%c%c/%05d", 'a'+i/2600%26, 'a'+i/100%26, i) }, 8},
		"hex":          {65_536, func(i int) string { return fmt.Sprintf("%04x", i) }, 8},
		"years":        {50_000, func(i int) string { return fmt.Sprintf("logs/%d/%02d/%05d.gz", 2015+i/5000, i/500%10, i) }, 5},
		"not ASCII":    {50_000, func(i int) string { return fmt.Sprintf("фото/%05d", i) }, 8},
		"one":          {1, nil, 1},
		"two far away": {2, func(i int) string { return []string{"a", "z"}[i] }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, emulator.Options{})
			must(t, srv.SyntheticBucket("many", emulator.Synthetic{Keys: y.keys, Key: y.key}))
			src := opened(t, srv)
			sp := src.(driver.Splitter)
			parts, err := sp.Split(t.Context(), driver.Scope{Path: "many"}, 8)
			must(t, err)
			if n := srv.Count(); n > 32 || srv.Count(emulator.ListObjectsV2) != n {
				t.Errorf("%d requests", n)
			}
			if len(parts) < y.parts || len(parts) > 8 {
				t.Errorf("%d parts: %+v", len(parts), parts)
			}
			for _, r := range srv.Requests() {
				if r.MaxKeys != "1" {
					t.Errorf("a probe asks for %s keys", r.MaxKeys)
				}
			}
			for i, p := range parts {
				page, err := src.Changes(t.Context(), p, nil)
				if err != nil || y.keys >= 8 && len(page.Changes) == 0 {
					t.Errorf("part %d, [%q, %q): %d items, %v", i, p.From, p.To, len(page.Changes), err)
				}
			}
		})
	}
}

func TestPartsTogetherAreTheWhole(t *testing.T) {
	srv := start(t, emulator.Options{})
	must(t, srv.SyntheticBucket("many", emulator.Synthetic{Keys: 3_210, Key: func(i int) string { return fmt.Sprintf("%c/%05d", 'a'+i/200, i) }}))
	src := opened(t, srv)
	whole := paths(all(t, src, driver.Scope{Path: "many"}))
	for _, n := range []int{2, 5, 16} {
		parts, err := src.(driver.Splitter).Split(t.Context(), driver.Scope{Path: "many"}, n)
		must(t, err)
		var got []string
		for _, p := range parts {
			got = append(got, paths(all(t, src, p))...)
		}
		equal(t, fmt.Sprintf("%d parts", n), got, whole)
	}
}

func TestBrowseOfBuckets(t *testing.T) {
	srv := start(t, emulator.Options{})
	must(t, srv.CreateBucket("archive"))
	must(t, srv.CreateBucket("zoo"))
	c := access("s3")
	c.Fields["bucket"] = "data"
	src := open(t, c, options(t, srv))
	l, err := src.Browse(t.Context(), "", "", 2)
	if err != nil || len(l.Items) != 2 || l.Items[0].Name != "archive" || !l.Items[0].Folder || l.Next == "" {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err = src.Browse(t.Context(), "", l.Next, 2); err != nil || len(l.Items) != 1 || l.Items[0].ID != "zoo" || l.Next != "" {
		t.Errorf("%+v, %v", l, err)
	}
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListBuckets), Action: emulator.ReplyCode("AccessDenied")})
	if l, err = src.Browse(t.Context(), "", "", 2); err != nil || len(l.Items) != 1 || l.Items[0].ID != "data" {
		t.Errorf("who may not list buckets sees the configured one: %+v, %v", l, err)
	}
	_, err = opened(t, srv).Browse(t.Context(), "", "", 2)
	kind(t, err, errs.PermissionDenied, errs.ScopePath)
}

func TestBrowseReachesOddFolders(t *testing.T) {
	srv := start(t, emulator.Options{})
	for _, k := range []string{"a//b", "a/b/", "a b/c", "../x", "/y"} {
		put(t, srv, k, "x")
	}
	src := opened(t, srv)
	var met []string
	var walk func(path string, depth int)
	walk = func(path string, depth int) {
		l, err := src.Browse(t.Context(), path, "", 100)
		must(t, err)
		for _, it := range l.Items {
			if !it.Folder {
				met = append(met, it.Path)
			} else if depth < 5 {
				walk(it.Path, depth+1)
			}
		}
	}
	walk("data", 0)
	slices.Sort(met)
	equal(t, "files", met, []string{"data/../x", "data//y", "data/a b/c", "data/a//b"})
}

// TestBrowseTellsTheCallersMistakesFromTheProviders: what the caller made up is
// no refusal of the provider's.
func TestBrowseTellsTheCallersMistakesFromTheProviders(t *testing.T) {
	srv := start(t, emulator.Options{})
	src := opened(t, srv)
	for _, path := range []string{"..", "/../x", "a b", "x", "\x00"} {
		if _, err := src.Browse(t.Context(), path, "", 10); !errs.Is(err, errs.Invalid) || errs.From(err).Origin != errs.Ours {
			t.Errorf("the path %q: %+v", path, errs.From(err))
		}
	}
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Action: emulator.ReplyCode("InvalidArgument")})
	if _, err := src.Browse(t.Context(), "data", "made up", 10); !errs.Is(err, errs.CursorExpired) || errs.From(err).Origin != errs.Ours {
		t.Errorf("the cursor: %+v", errs.From(err))
	}
}

// A listing that does not end ends the request, long before the memory does.
func TestAnEndlessListingIsGivenUp(t *testing.T) {
	var sent atomic.Int64
	src, _ := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		entry := []byte("<Contents><Key>" + strings.Repeat("k", 1<<16) + "</Key><Size>1</Size></Contents>")
		_, err := io.WriteString(w, "<ListBucketResult><Name>data</Name>")
		for ; err == nil && sent.Load() < 1<<30; sent.Add(int64(len(entry))) {
			_, err = w.Write(entry)
		}
	})
	_, err := src.Changes(t.Context(), driver.Scope{Path: "data"}, nil)
	kind(t, err, errs.Corrupt, errs.ScopePath)
	if n := sent.Load(); n > 200<<20 {
		t.Errorf("%d bytes of an answer were taken", n)
	}
}
