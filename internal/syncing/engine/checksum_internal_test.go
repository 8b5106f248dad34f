package engine

import (
	"crypto/md5"
	"hash/crc64"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// The library agrees with the standard one's table, around every size that it
// treats apart.
func TestCRC64NVME(t *testing.T) {
	table := crc64.MakeTable(0x9a6c9329ac4bc9b5)
	content := make([]byte, 5000)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	for size := range len(content) {
		h := newHash("crc64nvme")
		h.Write(content[:size/3])
		h.Write(content[size/3 : size])
		want := crc64.New(table)
		want.Write(content[:size])
		if got := h.Sum(nil); string(got) != string(want.Sum(nil)) {
			t.Fatalf("%d bytes: %x, want %x", size, got, want.Sum(nil))
		}
	}
}

// An uncertain checksum is computed only where nothing certain is offered, since
// it would change no verdict there.
func TestUncertainChecksumBesideACertainOne(t *testing.T) {
	content := []byte("content")
	crc := newHash("crc32c")
	crc.Write(content)
	sum := md5.Sum(content)
	right, wrong := driver.Checksum{Algorithm: "crc32c", Value: crc.Sum(nil), Certain: true}, driver.Checksum{Algorithm: "crc32c", Value: []byte("four"), Certain: true}
	etag, foreign := driver.Checksum{Algorithm: "md5", Value: sum[:]}, driver.Checksum{Algorithm: "md5", Value: make([]byte, 16)}
	unknown := driver.Checksum{Algorithm: "blake9", Value: []byte("x"), Certain: true}
	for name, c := range map[string]struct {
		offered  []driver.Checksum
		verdict  string
		computed int
		corrupt  bool
	}{
		"both match":             {[]driver.Checksum{right, etag}, verified + "crc32c", 1, false},
		"the uncertain differs":  {[]driver.Checksum{right, foreign}, verified + "crc32c", 1, false},
		"the certain differs":    {[]driver.Checksum{etag, wrong}, "", 1, true},
		"only uncertain":         {[]driver.Checksum{etag}, verified + "md5", 1, false},
		"only a foreign one":     {[]driver.Checksum{foreign}, verdictUndecided, 1, false},
		"a certain unknown one":  {[]driver.Checksum{unknown, etag}, verified + "md5", 1, false},
		"nothing":                {nil, nothingToVerify, 0, false},
		"several that are known": {[]driver.Checksum{right, etag, {Algorithm: "sha256", Value: nil, Certain: true}}, "", 1, true},
	} {
		s := newSums()
		s.offer(c.offered)
		s.write(content)
		verdict, err := s.verdict()
		if verdict != c.verdict || errs.Is(err, errs.Corrupt) != c.corrupt || len(s.others) != c.computed {
			t.Errorf("%s: %q, %v, %d computed", name, verdict, err, len(s.others))
		}
	}
}

// What a transfer costs in hashing, with what S3 offers by default.
func BenchmarkSums(b *testing.B) {
	chunk := make([]byte, copyBuffer)
	for name, offered := range map[string][]driver.Checksum{
		"md5":       {{Algorithm: "md5"}},
		"crc64nvme": {{Algorithm: "crc64nvme", Certain: true}, {Algorithm: "md5"}},
		"crc32":     {{Algorithm: "crc32", Certain: true}, {Algorithm: "md5"}},
		"none":      nil,
	} {
		b.Run(name, func(b *testing.B) {
			s := newSums()
			s.offer(offered)
			b.SetBytes(copyBuffer)
			for b.Loop() {
				s.write(chunk)
			}
		})
	}
}
