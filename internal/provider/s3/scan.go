package s3

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// scanning makes a listing's answer be read by scanList, where it is written as
// servers write it: a tenth of what the SDK takes, which was most of what a
// listing took. Whatever else stands there is left to the SDK, as if nobody had
// looked at it before.
func scanning(o *sdk.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		s := &listScan{}
		sdks, err := stack.Deserialize.Swap(s.ID(), s)
		s.sdks = sdks
		return err
	})
}

type listScan struct {
	sdks middleware.DeserializeMiddleware
}

// maxScan bounds an answer that is held whole: a page of a thousand keys of two
// hundred characters is a tenth of it.
const maxScan = 4 << 20

var scanBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// ID is the name of what it stands in for.
func (*listScan) ID() string { return "OperationDeserializer" }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (s *listScan) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, meta middleware.Metadata, err error,
) {
	out, meta, err = next.HandleDeserialize(ctx, in)
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	if err == nil && ok && resp.StatusCode == 200 {
		buf := scanBuffers.Get().(*bytes.Buffer)
		defer scanBuffers.Put(buf)
		buf.Reset()
		_, failed := buf.ReadFrom(io.LimitReader(resp.Body, maxScan))
		if failed == nil && buf.Len() < maxScan {
			if page := scanList(buf.Bytes()); page != nil {
				out.Result = page
				return out, meta, resp.Body.Close()
			}
		}
		resp.Body = readAgain{io.MultiReader(buf, broken{failed}, resp.Body), resp.Body}
	}
	return s.sdks.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(
		func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return out, meta, err
		}))
}

// readAgain is a body whose beginning has been read.
type readAgain struct {
	io.Reader
	io.Closer
}

// broken gives the error that reading ended with, if any.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err == nil {
		return 0, io.EOF
	}
	return 0, b.err
}

// scanList reads a ListBucketResult. It takes nothing but elements without
// attributes whose names and order of nesting it knows, in ASCII, and gives nil
// for all else.
func scanList(b []byte) *sdk.ListObjectsV2Output {
	s := &scan{}
	for _, c := range b {
		if c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return nil
		}
	}
	b = bytes.TrimPrefix(b, []byte(`<?xml version="1.0" encoding="UTF-8"?>`))
	b = bytes.TrimLeft(b, "\n")
	root, rest, ok := bytes.Cut(b, []byte(">"))
	namespace := bytes.TrimPrefix(root, []byte("<ListBucketResult"))
	if !ok || len(namespace) == len(root) || len(namespace) > 0 && string(namespace) != ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"` {
		return nil
	}
	s.rest = rest
	page := s.page()
	if s.bad {
		return nil
	}
	return page
}

// scan is what is left of a document.
type scan struct {
	rest []byte
	bad  bool // something is there that it does not take

	// What the objects point to: one allocation for many.
	texts []string
	sizes []int64
	times []time.Time
}

// page reads to the end of the root.
func (s *scan) page() *sdk.ListObjectsV2Output {
	const some = 1000
	out := &sdk.ListObjectsV2Output{Contents: make([]types.Object, 0, min(some, len(s.rest)/100))}
	for {
		name := s.open("ListBucketResult")
		switch name {
		case "":
			return out
		case "Contents":
			out.Contents = append(out.Contents, s.object())
		case "Name":
			out.Name = s.value(name)
		case "NextContinuationToken":
			out.NextContinuationToken = s.value(name)
		case "EncodingType":
			out.EncodingType = types.EncodingType(*s.value(name))
		case "MaxKeys":
			n := int32(s.number(name, 9))
			out.MaxKeys = &n
		case "IsTruncated":
			text := *s.value(name)
			more := text == "true"
			s.bad = s.bad || !more && text != "false"
			out.IsTruncated = &more
		case "KeyCount":
			s.number(name, 9)
		case "Prefix", "Delimiter", "StartAfter", "ContinuationToken":
			s.text(name)
		default:
			s.bad = true
			return out
		}
	}
}

func (s *scan) object() (o types.Object) {
	for {
		name := s.open("Contents")
		switch name {
		case "":
			return o
		case "Key":
			o.Key = s.value(name)
		case "ETag":
			o.ETag = s.value(name)
		case "Size":
			s.sizes = append(room(s.sizes), s.number(name, 18))
			o.Size = &s.sizes[len(s.sizes)-1]
		case "LastModified":
			s.times = append(room(s.times), s.time(name))
			o.LastModified = &s.times[len(s.times)-1]
		case "StorageClass":
			o.StorageClass = storageClass(s.text(name))
		case "ChecksumType", "ChecksumAlgorithm":
			s.text(name)
		case "Owner":
			for part := s.open(name); part != ""; part = s.open(name) {
				s.bad = s.bad || part != "ID" && part != "DisplayName"
				s.text(part)
			}
		default:
			s.bad = true
			return o
		}
	}
}

// room makes room for one more. What is full stays where it is pointed to.
func room[T any](list []T) []T {
	const some = 1000
	if len(list) < cap(list) {
		return list
	}
	return make([]T, 0, some)
}

// open reads the beginning of an element and returns its name, or the end of the
// one around it and returns "", as it does when anything else stands there.
func (s *scan) open(around string) string {
	rest := bytes.TrimLeft(s.rest, " \n\t")
	name, rest, ok := bytes.Cut(rest, []byte(">"))
	if s.bad || !ok || len(name) < 2 || name[0] != '<' {
		s.bad = true
		return ""
	}
	s.rest = rest
	if name = name[1:]; name[0] != '/' {
		return known(name)
	}
	s.bad = string(name[1:]) != around
	return ""
}

// known returns a name, without allocating those that each object has.
func known(name []byte) string {
	switch string(name) {
	case "Key":
		return "Key"
	case "LastModified":
		return "LastModified"
	case "ETag":
		return "ETag"
	case "Size":
		return "Size"
	case "StorageClass":
		return "StorageClass"
	case "Contents":
		return "Contents"
	case "ChecksumType":
		return "ChecksumType"
	case "ChecksumAlgorithm":
		return "ChecksumAlgorithm"
	case "Owner":
		return "Owner"
	case "ID":
		return "ID"
	case "DisplayName":
		return "DisplayName"
	}
	return string(name)
}

// text reads what an element holds, where nothing in it is escaped.
func (s *scan) text(name string) []byte {
	raw := s.raw(name)
	s.bad = s.bad || bytes.IndexByte(raw, '&') >= 0
	return raw
}

// raw reads what an element holds, to its end.
func (s *scan) raw(name string) []byte {
	i := bytes.IndexByte(s.rest, '<')
	if s.bad || i < 0 {
		s.bad = true
		return nil
	}
	text, rest := s.rest[:i], s.rest[i+1:]
	end := len(name) + 1
	if len(rest) <= end || rest[0] != '/' || string(rest[1:end]) != name || rest[end] != '>' || bytes.IndexByte(text, '>') >= 0 {
		s.bad = true
		return nil
	}
	s.rest = rest[end+1:]
	return text
}

// value is a text that must not be empty.
func (s *scan) value(name string) *string {
	text := s.unescape(s.raw(name))
	s.bad = s.bad || text == ""
	s.texts = append(room(s.texts), text)
	return &s.texts[len(s.texts)-1]
}

func (s *scan) unescape(raw []byte) string {
	if bytes.IndexByte(raw, '&') < 0 {
		return string(raw)
	}
	for _, quote := range []string{"&quot;", "&#34;"} { // of an ETag
		if inner, ok := bytes.CutPrefix(raw, []byte(quote)); ok {
			if inner, ok = bytes.CutSuffix(inner, []byte(quote)); ok && bytes.IndexByte(inner, '&') < 0 {
				return `"` + string(inner) + `"`
			}
		}
	}
	text := references.Replace(string(raw))
	s.bad = s.bad || strings.Count(text, "&") != bytes.Count(raw, []byte("&amp;"))
	return text
}

// references are those that servers write: of any other an & is left.
var references = strings.NewReplacer("&quot;", `"`, "&#34;", `"`, "&apos;", "'", "&#39;", "'", "&lt;", "<", "&gt;", ">", "&amp;", "&")

// number reads a number of at most so many digits.
func (s *scan) number(name string, digits int) int64 {
	text := s.text(name)
	s.bad = s.bad || len(text) == 0 || len(text) > digits
	n := int64(0)
	for _, c := range text {
		s.bad = s.bad || c < '0' || c > '9'
		n = 10*n + int64(c-'0')
	}
	return n
}

func (s *scan) time(name string) (t time.Time) {
	text := s.text(name)
	s.bad = s.bad || !bytes.HasSuffix(text, []byte("Z")) || t.UnmarshalText(text) != nil
	return t
}

func storageClass(text []byte) types.ObjectStorageClass {
	if string(text) == string(types.ObjectStorageClassStandard) {
		return types.ObjectStorageClassStandard
	}
	return types.ObjectStorageClass(text)
}
