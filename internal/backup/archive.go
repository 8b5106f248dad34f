// Package backup moves whole stores: into an archive, out of one, and from one
// store to another. It knows the documents of package raw and nothing of what
// keeps them.
package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/store/raw"
)

// An archive is a gzip stream of
//
//	the line "MOORING BACKUP 1"
//	frames: one byte that says what follows, and a BSON document:
//	  H  the header
//	  C  the beginning of a collection
//	  D  a document of it
//	  E  its end, with its count and hash
//	  M  the manifest, which repeats all ends
//	the byte Z and the SHA-256 of everything before it
//
// Of a collection that occurs twice the later one counts. Every byte is under
// the last hash, so that an archive without its end, or with anything after it,
// is none.

const (
	magic = "MOORING BACKUP 1\n"

	frameHeader     = 'H'
	frameCollection = 'C'
	frameDocument   = 'D'
	frameEnd        = 'E'
	frameManifest   = 'M'
	frameHash       = 'Z'

	// maxFrame bounds a document, as the stores do, with room for what encloses it.
	maxFrame = 16<<20 + 16<<10
)

// Header says what an archive is of.
type Header struct {
	Mooring   string    `bson:"mooring" json:"mooring"` // the version that wrote it
	CreatedAt time.Time `bson:"created_at" json:"created_at"`
	Store     string    `bson:"store" json:"store"`   // raw.Source's Kind
	Schema    int       `bson:"schema" json:"schema"` // and Schema
	Frozen    bool      `bson:"frozen" json:"frozen"` // read at one moment
	MasterKey string    `bson:"master_key_fingerprint" json:"master_key_fingerprint"`
}

// Section is a collection in an archive.
type Section struct {
	Collection raw.Collection `bson:"collection" json:"collection"`
	Documents  int64          `bson:"documents" json:"documents"`
	Hash       string         `bson:"hash" json:"hash"`
}

// Manifest is what an archive holds.
type Manifest struct {
	Header   `bson:"header"`
	Sections []Section `bson:"sections" json:"collections"`
}

// Documents is how many documents there are in all.
func (m Manifest) Documents() (n int64) {
	for _, s := range m.Sections {
		n += s.Documents
	}
	return n
}

func broken(msg string) error {
	return errs.New(errs.Corrupt, "backup", "the backup is damaged or not complete: "+msg)
}

// encoder writes an archive.
type encoder struct {
	zip  *gzip.Writer
	hash hash.Hash
	out  *bufio.Writer
}

func newEncoder(w io.Writer) (*encoder, error) {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	e := &encoder{zip: zip, hash: sha256.New()}
	e.out = bufio.NewWriterSize(io.MultiWriter(zip, e.hash), 1<<18)
	_, err = e.out.WriteString(magic)
	return e, err
}

func (e *encoder) frame(kind byte, doc []byte) error {
	if err := e.out.WriteByte(kind); err != nil {
		return err
	}
	_, err := e.out.Write(doc)
	return err
}

func (e *encoder) value(kind byte, v any) error {
	b, err := bson.Marshal(v)
	if err != nil {
		return err
	}
	return e.frame(kind, b)
}

func (e *encoder) close() error {
	if err := e.out.Flush(); err != nil {
		return err
	}
	if _, err := e.zip.Write(append([]byte{frameHash}, e.hash.Sum(nil)...)); err != nil {
		return err
	}
	return e.zip.Close()
}

// decoder reads an archive. It checks its form; what the hashes say is checked
// by who reads.
type decoder struct {
	file *bufio.Reader
	in   *bufio.Reader
	hash hash.Hash
	buf  []byte
}

func newDecoder(r io.Reader) (*decoder, error) {
	file := bufio.NewReaderSize(r, 1<<18)
	zip, err := gzip.NewReader(file)
	if err != nil {
		return nil, broken("it does not begin as a backup does")
	}
	zip.Multistream(false)
	d := &decoder{file: file, in: bufio.NewReaderSize(zip, 1<<18), hash: sha256.New()}
	line := make([]byte, len(magic))
	if _, err := io.ReadFull(d.in, line); err != nil || !bytes.HasPrefix(line, []byte(magic[:len("MOORING BACKUP ")])) {
		return nil, broken("it does not begin as a backup does")
	}
	if string(line) != magic {
		return nil, errs.New(errs.Conflict, "backup", "the backup has a form that this version of Mooring does not know: use a newer one")
	}
	d.hash.Write(line)
	return d, nil
}

// next reads a frame, whose document may be used until the next call.
func (d *decoder) next() (kind byte, doc bson.Raw, err error) {
	if kind, err = d.in.ReadByte(); err != nil {
		return 0, nil, broken("it ends too early")
	}
	if kind == frameHash {
		return kind, nil, d.end()
	}
	var size [4]byte
	if _, err := io.ReadFull(d.in, size[:]); err != nil {
		return 0, nil, broken("it ends too early")
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n < 5 || n > maxFrame {
		return 0, nil, broken("a document has an impossible size")
	}
	if uint32(cap(d.buf)) < n {
		d.buf = make([]byte, n)
	}
	d.buf = d.buf[:n]
	copy(d.buf, size[:])
	if _, err := io.ReadFull(d.in, d.buf[4:]); err != nil {
		return 0, nil, broken("it ends too early")
	}
	d.hash.Write([]byte{kind})
	d.hash.Write(d.buf)
	return kind, d.buf, nil
}

// end compares the hash of everything, after which nothing may come.
func (d *decoder) end() error {
	var sum [sha256.Size]byte
	if _, err := io.ReadFull(d.in, sum[:]); err != nil {
		return broken("it ends too early")
	}
	if !bytes.Equal(sum[:], d.hash.Sum(nil)) {
		return broken("its hash is another")
	}
	for _, r := range []*bufio.Reader{d.in, d.file} {
		if _, err := r.ReadByte(); err != io.EOF {
			return broken("something follows its end")
		}
	}
	return nil
}

func decode(doc bson.Raw, into any) error {
	if err := bson.Unmarshal(doc, into); err != nil {
		return broken("what it says of itself can't be read")
	}
	return nil
}
