package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The index agrees with a map under random inserts, replacements and removals,
// and its chunks stay within bounds.
func TestIndexAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var x index
	want := map[string]*object{}
	for step := range 60_000 {
		key := fmt.Sprintf("%05d", r.IntN(20_000))
		if step > 30_000 && r.IntN(3) > 0 {
			_, had := want[key]
			if x.remove(key) != had {
				t.Fatalf("remove %s: had it: %t", key, had)
			}
			delete(want, key)
			continue
		}
		o := &object{key: key, size: int64(step)}
		x.set(o)
		want[key] = o
	}
	keys := make([]string, 0, len(want))
	for key, o := range want {
		keys = append(keys, key)
		if x.get(key) != o {
			t.Fatalf("get %s is another object", key)
		}
	}
	slices.Sort(keys)
	var got []string
	for o := x.ceil(""); o != nil; o = x.ceil(o.key + "\x00") {
		got = append(got, o.key)
	}
	if !slices.Equal(got, keys) || x.n != len(keys) {
		t.Fatalf("%d keys in order, %d counted, want %d", len(got), x.n, len(keys))
	}
	for _, c := range x.chunks {
		if len(c) == 0 || len(c) > chunkSize {
			t.Fatalf("a chunk of %d", len(c))
		}
	}
	if x.get("0") != nil || x.remove("0") || x.ceil("~") != nil {
		t.Fatal("found what is not there")
	}
}

// counting counts how often a key is looked for.
type counting struct {
	scan
	n int
}

func (c *counting) ceil(key string) (*object, error) {
	c.n++
	return c.scan.ceil(key)
}

// A list looks for each key once, and once more a page: it never walks over what
// earlier pages held, nor over what a delimiter hides.
func TestListingIsLinear(t *testing.T) {
	const keys, size = 20_000, 100
	b := &bucket{}
	for i := range keys {
		b.objects.set(&object{key: fmt.Sprintf("%02d/%06d", i/1000, i), attributes: plain})
	}
	for delimiter, entries := range map[string]int{"": keys, "/": keys / 1000} {
		c := &counting{scan: b.scan()}
		l := listQuery{v2: true, delimiter: delimiter, maxKeys: size}
		seen, pages := 0, 0
		for more := true; more; pages++ {
			p, err := l.take(c, size)
			if err != nil {
				t.Fatal(err)
			}
			seen += p.count()
			more = p.truncated
			l.token, l.hasToken = sealToken(p.next), true
		}
		if seen != entries || c.n > entries+pages {
			t.Fatalf("delimiter %q: %d entries on %d pages took %d look-ups", delimiter, seen, pages, c.n)
		}
	}
}

// Next keys of a synthetic bucket are found without searching.
func TestSyntheticScanIsDirect(t *testing.T) {
	named := 0
	g := generated{Synthetic{Keys: 1 << 20, Key: func(i int) string { named++; return fmt.Sprintf("%08d", i) }}}
	sc := g.scan()
	for from := ""; ; {
		o, err := sc.ceil(from)
		if err != nil {
			t.Fatal(err)
		}
		if o == nil || o.key == "00001000" {
			break
		}
		from = o.key + "\x00"
	}
	if named > 1001+25 {
		t.Fatalf("%d keys were named to give 1001", named)
	}
	if o, _ := sc.ceil("00000005"); o == nil || o.key != "00000005" {
		t.Fatalf("going back gives %+v", o)
	}
	if o, _ := sc.ceil("00000005\x01"); o == nil || o.key != "00000006" {
		t.Fatalf("a key between gives %+v", o)
	}
}

// A deleted object hides itself and nothing else.
func TestDeletedObjectHidesNoNeighbour(t *testing.T) {
	keys := []string{"a", "a\x00", "a\x00\x00", "b"}
	b := &bucket{base: generated{Synthetic{Keys: len(keys), Key: func(i int) string { return keys[i] }}}}
	for i, key := range keys {
		if err := b.update(key, func(*object) (*object, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		o, err := b.scan().ceil("")
		if err != nil || i+1 < len(keys) && (o == nil || o.key != keys[i+1]) || i+1 == len(keys) && o != nil {
			t.Fatalf("without %q: %+v, %v", keys[:i+1], o, err)
		}
	}
}

func TestUnreadableFilesAreReported(t *testing.T) {
	d := &directory{}
	if err := d.unreadable("a", fs.ErrPermission); !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("%v", err)
	}
	if err := d.unreadable("a", fs.ErrNotExist); err != nil {
		t.Fatalf("%v", err)
	}
	var asked string
	d.opts.OnError = func(path string, err error) error { asked = path; return nil }
	if err := d.unreadable("a", fs.ErrPermission); err != nil || asked != "a" {
		t.Fatalf("%v, asked about %q", err, asked)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("list-type=2&prefix=a%2F&delimiter=%2F&max-keys=3&start-after=a%2Fb&encoding-type=url")
	f.Add("marker=%FF%FF&delimiter=%FF&prefix=%FF")
	f.Add("list-type=2&continuation-token=" + sealToken("b"))
	f.Add("list-type=2&max-keys=-1&encoding-type=x")
	b := &bucket{}
	for _, key := range []string{"\x01", "a", "a/", "a/b", "a/b/c", "a//b", "b", "\xff\xff", "\xff\xff\xff", "\U0001F600"} {
		b.objects.set(&object{key: key, attributes: plain})
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		l, err := parseList(q)
		if err != nil {
			return
		}
		if l.maxKeys < 0 || l.maxKeys > maxListKeys {
			t.Fatalf("maxKeys is %d", l.maxKeys)
		}
		before := l.from()
		for range 20 {
			p, err := l.take(b.scan(), min(l.maxKeys, 2))
			if err != nil || p.count() > 2 {
				t.Fatalf("%d entries, %v", p.count(), err)
			}
			for _, o := range p.objects {
				if !strings.HasPrefix(o.key, l.prefix) || o.key < before || l.group(o.key) != "" {
					t.Fatalf("%q does not belong to %q from %q", o.key, query, before)
				}
			}
			if !p.truncated {
				return
			}
			if p.next <= before {
				t.Fatalf("no progress behind %q", before)
			}
			before, l.v2, l.hasToken, l.token = p.next, true, true, sealToken(p.next)
		}
		t.Fatalf("%q does not end", query)
	})
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=-1", "bytes=5-", "bytes=9223372036854775807-", "bytes=0-9223372036854775807", "bytes=-9223372036854775807", "bytes=-0"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		s, partial, err := parseRange(header, size)
		if err != nil {
			return
		}
		if s.off < 0 || s.n < 0 || s.off > size || s.n > size-s.off || partial && s.n == 0 || !partial && s != (span{0, size}) {
			t.Fatalf("%q of %d gives %+v, partial %t", header, size, s, partial)
		}
	})
}

// No request makes the server panic but for the abort that it means.
func FuzzRequests(f *testing.F) {
	f.Add("GET", "/data/a?list-type=2&tagging", "bytes=0-", "")
	f.Add("POST", "/?x", "", "Action=AssumeRole&RoleArn=x")
	f.Add("PUT", "/data//../a%00?uploadId=1&partNumber=-1", "", "body")
	s := New(Options{Keys: []AccessKey{{ID: "AKIA", Secret: "s"}}})
	if err := errors.Join(s.CreateBucket("data"), s.Put("data", "a", []byte("x"), PutOptions{})); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, rng, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header.Set("Range", rng)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			t.Fatalf("an unsigned request was answered: %s %s", method, target)
		}
		// Behind the signature, too.
		x := s.receive(httptest.NewRecorder(), r)
		if x.entry.Operation.sts() {
			return
		}
		if err := x.perform(&credential{}); err != nil {
			x.fail(err)
		}
	})
}
