package providertest

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"hash/crc64"
	"io"
	"strings"
	"sync"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

func testRead(t *testing.T, s *suite) {
	contents := map[string][]byte{
		"empty": {}, "one": []byte("1"), "text": []byte("some text\n"), "binary": {0, 1, 2, 0xff, 0xfe},
		"large": bytes.Repeat([]byte("0123456789abcdef"), 20_000),
	}
	for n, c := range contents {
		s.Put(t, n, c)
	}
	src := s.open(t)
	for n, c := range contents {
		it := s.item(t, src, n)
		want := s.Content(n, c)
		if it.Size != -1 && it.Size != int64(len(want)) {
			t.Errorf("%s: size %d, want %d", n, it.Size, len(want))
		}
		if it.Inline != nil {
			wantBytes(t, n+" inline", it.Inline, want)
		}
		r, err := src.Open(t.Context(), it, 0)
		if err != nil {
			t.Errorf("%s: %v", n, err)
			continue
		}
		checksums(t, n, r, want)
		got, err := io.ReadAll(r)
		if err != nil {
			t.Errorf("%s: %v", n, err)
		}
		wantBytes(t, n, got, want)
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: reading on at the end: %v", n, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: Close: %v", n, err)
		}
	}
}

// checksums compares a reader's certain checksums with the content.
func checksums(t testing.TB, name string, r io.Reader, content []byte) {
	t.Helper()
	c, ok := r.(driver.Checksummed)
	if !ok {
		return
	}
	for _, sum := range c.Checksums() {
		want, known := hashOf(sum.Algorithm, content)
		if !known {
			t.Errorf("%s: checksum by unknown algorithm %q", name, sum.Algorithm)
		}
		if sum.Certain && !bytes.Equal(sum.Value, want) {
			t.Errorf("%s: %s is %x, want %x", name, sum.Algorithm, sum.Value, want)
		}
	}
}

// hashOf computes a checksum by the name it has in driver.Checksum.
func hashOf(algorithm string, b []byte) ([]byte, bool) {
	switch algorithm {
	case "sha256":
		h := sha256.Sum256(b)
		return h[:], true
	case "sha1":
		h := sha1.Sum(b)
		return h[:], true
	case "md5":
		h := md5.Sum(b)
		return h[:], true
	case "crc32":
		return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)), true
	case "crc32c":
		return binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))), true
	case "crc64nvme":
		return binary.BigEndian.AppendUint64(nil, crc64.Checksum(b, crc64.MakeTable(0x9a6c9329ac4bc9b5))), true
	case "quickxor":
		return quickXor(b), true
	}
	return nil, false
}

// quickXor is the hash of OneDrive and SharePoint, bit by bit as it is described.
func quickXor(content []byte) []byte {
	const size = 20
	sum := make([]byte, size)
	for i, b := range content {
		for bit := range 8 {
			at := (i*11 + bit) % (size * 8)
			sum[at/8] ^= b >> bit & 1 << (at % 8)
		}
	}
	for i, b := range binary.LittleEndian.AppendUint64(nil, uint64(len(content))) {
		sum[size-8+i] ^= b
	}
	return sum
}

func testOffsets(t *testing.T, s *suite) {
	content := bytes.Repeat([]byte("abcdefghij"), 500)
	s.Put(t, "file", content)
	s.Put(t, "empty", nil)
	src := s.open(t)
	want := s.Content("file", content)
	it := s.item(t, src, "file")
	for _, off := range []int64{0, 1, 9, int64(len(want) / 2), int64(len(want) - 1), int64(len(want))} {
		r, err := src.Open(t.Context(), it, off)
		if err != nil {
			t.Errorf("from %d: %v", off, err)
			continue
		}
		checksums(t, "file", r, want) // of the whole item, whatever the offset
		got, err := io.ReadAll(r)
		if err != nil {
			t.Errorf("from %d: %v", off, err)
		}
		wantBytes(t, "from an offset", got, want[off:])
		_ = r.Close()
	}
	if got, err := read(t.Context(), src, s.item(t, src, "empty"), 0); err != nil || len(got) != len(s.Content("empty", nil)) {
		t.Errorf("an empty item: %q, %v", got, err)
	}
}

func testReadRanges(t *testing.T, s *suite) {
	content := bytes.Repeat([]byte("abcdefghij"), 500)
	s.Put(t, "file", content)
	src := s.open(t)
	ranger, ok := src.(driver.Ranger)
	if s.lacks(t, !ok, "Ranger") {
		return
	}
	want := s.Content("file", content)
	size := int64(len(want))
	it := s.item(t, src, "file")
	for _, c := range []struct{ off, n int64 }{{0, 1}, {0, size}, {1, 10}, {size / 2, size / 3}, {size - 1, 1}} {
		got, err := readRange(t.Context(), ranger, it, c.off, c.n)
		if err != nil {
			t.Errorf("%d from %d: %v", c.n, c.off, err)
		}
		wantBytes(t, "a range", got, want[c.off:c.off+c.n])
	}
	_, err := readRange(t.Context(), ranger, it, size-1, 2)
	wantKind(t, "a range beyond the end", err, errs.Stale)
	s.Put(t, "file", bytes.Repeat([]byte("0123456789"), 500))
	_, err = readRange(t.Context(), ranger, it, 10, 10)
	wantKind(t, "a range of what has changed", err, errs.Stale)
}

func readRange(ctx context.Context, src driver.Ranger, it driver.Item, off, n int64) ([]byte, error) {
	r, err := src.OpenRange(ctx, it, off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func testStale(t *testing.T, s *suite) {
	s.Put(t, "file", []byte("first version"))
	src := s.open(t)
	it := s.item(t, src, "file")
	s.Put(t, "file", []byte("other version"))
	for _, off := range []int64{0, 5} {
		_, err := read(t.Context(), src, it, off)
		wantKind(t, "reading what has changed", err, errs.Stale)
		if s := errs.ScopeOf(err); s != errs.ScopeObject {
			t.Errorf("its scope is %v", s)
		}
	}
	got, err := read(t.Context(), src, s.item(t, src, "file"), 0)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "the new version", got, s.Content("file", []byte("other version")))
}

func testGone(t *testing.T, s *suite) {
	s.Put(t, "file", []byte("x"))
	src := s.open(t)
	it := s.item(t, src, "file")
	s.Delete(t, "file")
	_, err := read(t.Context(), src, it, 0)
	wantKind(t, "reading what is gone", err, errs.NotFound, errs.Stale)
	if s := errs.ScopeOf(err); s != errs.ScopeObject {
		t.Errorf("its scope is %v", s)
	}
}

func testBroken(t *testing.T, s *suite) {
	if s.lacks(t, s.Break == nil, "Break") {
		return
	}
	content := bytes.Repeat([]byte("0123456789"), 10_000)
	s.Put(t, "file", content)
	src := s.open(t)
	it := s.item(t, src, "file")
	want := s.Content("file", content)
	for _, n := range []int64{0, 1, 5000, int64(len(want) - 1)} {
		s.Break(t, "file", n)
		got, err := read(t.Context(), src, it, 0)
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errs.Retryable(err) {
			t.Errorf("broken after %d bytes: %v", n, err)
		}
		if !bytes.HasPrefix(want, got) || len(got) == len(want) {
			t.Errorf("broken after %d bytes: %d bytes were read", n, len(got))
			continue
		}
		rest, err := read(t.Context(), src, it, int64(len(got)))
		if err != nil {
			t.Errorf("reading on after %d bytes: %v", len(got), err)
		}
		wantBytes(t, "both parts", append(got, rest...), want)
	}
}

func testStat(t *testing.T, s *suite) {
	put := s.fill(t, 5)
	src := s.open(t)
	for _, n := range put {
		it := s.item(t, src, n)
		got, err := src.Stat(t.Context(), s.Scope, it.ID)
		if err != nil {
			t.Errorf("Stat of %q: %v", n, err)
			continue
		}
		if got.ID != it.ID || got.Version != it.Version || got.Size != it.Size || got.Name != it.Name || got.Path != it.Path ||
			got.Rel != it.Rel || got.Parent != it.Parent || got.Folder != it.Folder {
			t.Errorf("Stat is not what the listing says: %+v, %+v", got, it)
		}
		if s.Outside != nil {
			_, err = src.Stat(t.Context(), *s.Outside, it.ID)
			wantKind(t, "Stat of an item that is not in the scope", err, errs.NotFound)
		}
	}
	it := s.item(t, src, put[0])
	s.Delete(t, put[0])
	_, err := src.Stat(t.Context(), s.Scope, it.ID)
	wantKind(t, "Stat of what is gone", err, errs.NotFound)
	if sc := errs.ScopeOf(err); sc != errs.ScopeObject {
		t.Errorf("its scope is %v", sc)
	}
}

func testAttributes(t *testing.T, s *suite) {
	src := s.open(t)
	a, ok := src.(driver.Attributer)
	if s.lacks(t, !ok, "Attributer") {
		return
	}
	s.Put(t, "file", []byte("x"))
	it := s.item(t, src, "file")
	got, err := a.Attributes(t.Context(), it, driver.Want{Metadata: true, Tags: true, Properties: true})
	if err != nil {
		t.Fatal(err)
	}
	for k := range got.Metadata {
		if k != strings.ToLower(k) {
			t.Errorf("metadata key %q is not in lower case", k)
		}
	}
	s.Delete(t, "file")
	_, err = a.Attributes(t.Context(), it, driver.Want{Metadata: true, Tags: true})
	wantKind(t, "Attributes of what is gone", err, errs.NotFound, errs.Stale)
}

func testConcurrency(t *testing.T, s *suite) {
	put := s.fill(t, s.PageSize+1)
	src := s.open(t)
	want := s.names(put)
	it := s.item(t, src, put[0])
	var wg sync.WaitGroup
	ctx := context.Background()
	for range 8 {
		wg.Go(func() {
			var pages []driver.Page
			for cur := driver.Cursor(nil); ; {
				p, err := src.Changes(ctx, s.Scope, cur)
				if err != nil {
					t.Errorf("Changes: %v", err)
					return
				}
				pages = append(pages, p)
				if cur = p.Next; !p.More {
					break
				}
			}
			if n := len(items(pages)); n < len(want) {
				t.Errorf("%d items, want %d", n, len(want))
			}
		})
		wg.Go(func() {
			if _, err := read(ctx, src, it, 0); err != nil {
				t.Errorf("Open: %v", err)
			}
			if _, err := src.Stat(ctx, s.Scope, it.ID); err != nil {
				t.Errorf("Stat: %v", err)
			}
		})
		wg.Go(func() {
			if _, err := src.Check(ctx, s.Scope.Path); err != nil {
				t.Errorf("Check: %v", err)
			}
			if _, err := src.Browse(ctx, s.Scope.Path, "", 10); err != nil {
				t.Errorf("Browse: %v", err)
			}
		})
	}
	wg.Wait()
}
