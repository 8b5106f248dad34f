package s3

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// ChecksumAlgorithm names an algorithm as the x-amz-checksum-… header does.
type ChecksumAlgorithm string

// The algorithms.
const (
	CRC32     ChecksumAlgorithm = "crc32"
	CRC32C    ChecksumAlgorithm = "crc32c"
	CRC64NVME ChecksumAlgorithm = "crc64nvme"
	SHA1      ChecksumAlgorithm = "sha1"
	SHA256    ChecksumAlgorithm = "sha256"
)

// ChecksumType says what a checksum covers.
type ChecksumType string

// FullObject is a checksum of the content; Composite one of the parts' checksums,
// written with "-" and the number of parts.
const (
	FullObject ChecksumType = "FULL_OBJECT"
	Composite  ChecksumType = "COMPOSITE"
)

var hashes = map[ChecksumAlgorithm]func() hash.Hash{
	CRC32:     func() hash.Hash { return crc32.NewIEEE() },
	CRC32C:    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	CRC64NVME: func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	SHA1:      sha1.New,
	SHA256:    sha256.New,
}

// checksum is a checksum stored with an object.
type checksum struct {
	algorithm ChecksumAlgorithm
	kind      ChecksumType
	value     string
}

// header is the name of the header that carries it.
func (c *checksum) header() string { return "X-Amz-Checksum-" + string(c.algorithm) }

// name is the algorithm as lists write it.
func (c *checksum) name() string { return strings.ToUpper(string(c.algorithm)) }

// sum computes a checksum; a Composite one over the parts.
func sum(algorithm ChecksumAlgorithm, kind ChecksumType, data []byte, parts []int64) (*checksum, error) {
	newHash, ok := hashes[algorithm]
	if !ok {
		return nil, fmt.Errorf("s3: unknown checksum algorithm %q", algorithm)
	}
	if kind == "" {
		kind = FullObject
	}
	h := newHash()
	suffix := ""
	switch kind {
	case FullObject:
		h.Write(data)
	case Composite:
		if len(parts) == 0 {
			return nil, fmt.Errorf("s3: a composite checksum needs a multipart object")
		}
		for _, part := range cut(data, parts) {
			p := newHash()
			p.Write(part)
			h.Write(p.Sum(nil))
		}
		suffix = fmt.Sprintf("-%d", len(parts))
	default:
		return nil, fmt.Errorf("s3: unknown checksum type %q", kind)
	}
	value := base64.StdEncoding.EncodeToString(h.Sum(nil)) + suffix
	return &checksum{algorithm: algorithm, kind: kind, value: value}, nil
}

// spoil returns a well-formed checksum value that is another one.
func spoil(value string) string {
	encoded, suffix, dashed := strings.Cut(value, "-")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) == 0 {
		return value
	}
	raw[0] ^= 0xFF
	out := base64.StdEncoding.EncodeToString(raw)
	if dashed {
		out += "-" + suffix
	}
	return out
}
