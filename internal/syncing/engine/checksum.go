package engine

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"slices"

	"github.com/minio/crc64nvme"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/sha256x2"
)

// sums hash content on its way: always with SHA-256, and with whatever the
// provider offers to compare with.
type sums struct {
	sha     *sha256x2.Hash
	others  map[string]hash.Hash // by algorithm
	offered []driver.Checksum
}

func newSums() *sums { return &sums{sha: sha256x2.New()} }

// offer takes the provider's checksums. Call it before the first byte. Beside a
// certain one, those that are uncertain decide nothing: they are not computed.
func (s *sums) offer(list []driver.Checksum) {
	s.offered, s.others = list, map[string]hash.Hash{}
	certain := slices.ContainsFunc(list, func(c driver.Checksum) bool {
		return c.Certain && (c.Algorithm == "sha256" || newHash(c.Algorithm) != nil)
	})
	for _, c := range list {
		if certain && !c.Certain {
			continue
		}
		if h := newHash(c.Algorithm); h != nil && s.others[c.Algorithm] == nil {
			s.others[c.Algorithm] = h
		}
	}
}

// write takes p, which must stay as it is until the next write or settle.
func (s *sums) write(p []byte) {
	s.sha.Write(p)
	for _, h := range s.others {
		h.Write(p)
	}
}

func (s *sums) settle() { s.sha.Settle() }

// newHash returns nil for SHA-256, which is computed anyway, and for what is not known.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(castagnoli)
	case "crc64nvme":
		return crc64nvme.New()
	case "quickxor":
		return newQuickXor()
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Verdicts of objects.
const (
	verified         = "verified: "
	nothingToVerify  = "unverifiable: no checksum offered"
	foreignETag      = "unverifiable: the provider's ETag is not the content's MD5"
	verdictUndecided = ""
)

// sha256 is the content's, in hex.
func (s *sums) sha256() string { return hex.EncodeToString(s.sha.Sum()) }

// verdict compares. A certain mismatch is Corrupt; an uncertain one without a
// match is undecided: the content has to be read twice.
func (s *sums) verdict() (string, error) {
	match, doubt := "", false
	for _, c := range s.offered {
		var got []byte
		switch h := s.others[c.Algorithm]; {
		case c.Algorithm == "sha256":
			got = s.sha.Sum()
		case h != nil:
			got = h.Sum(nil)
		default:
			continue
		}
		switch same := bytes.Equal(got, c.Value); {
		case same && match == "":
			match = verified + c.Algorithm
		case !same && c.Certain:
			return "", &errs.Error{
				Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopeObject, Op: "sync.verify",
				Msg: "the content that arrived does not have the provider's " + c.Algorithm + " checksum",
			}
		case !same:
			doubt = true
		}
	}
	switch {
	case match != "":
		return match, nil
	case doubt:
		return verdictUndecided, nil
	}
	return nothingToVerify, nil
}
