package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mooring/emulator/s3"
)

// requestsPath is where a stub says how many requests it has had.
const requestsPath = "/-/requests"

// stub answers listings of one bucket out of memory, where they stand as they are
// sent, so that a page costs it next to nothing. The rest is the emulator's.
type stub struct {
	bucket   string
	keys     []string
	entries  []byte // one behind the other
	ends     []int  // of each entry
	rest     http.Handler
	requests atomic.Int64
}

func newStub(set dataSet) (*stub, error) {
	server := s3.New(s3.Options{LogSize: 1})
	objects := set.synthetic()
	objects.LastModified = time.Now().Truncate(time.Second)
	if err := server.SyntheticBucket(set.Name, objects); err != nil {
		return nil, err
	}
	s := &stub{bucket: set.Name, rest: server.Handler()}
	modified := objects.LastModified.UTC().Format("2006-01-02T15:04:05.000Z")
	for i := range set.Count {
		k := set.key(i)
		s.keys = append(s.keys, k)
		s.entries = fmt.Appendf(s.entries, "<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag><Size>%d</Size>"+
			"<StorageClass>STANDARD</StorageClass></Contents>", k, modified, objects.ETag(i), set.Size)
		s.ends = append(s.ends, len(s.entries))
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == requestsPath {
		fmt.Fprint(w, s.requests.Load())
		return
	}
	s.requests.Add(1)
	q := r.URL.Query()
	if r.Method != http.MethodGet || strings.Trim(r.URL.Path, "/") != s.bucket || !q.Has("prefix") && !q.Has("list-type") || q.Get("delimiter") != "" {
		s.rest.ServeHTTP(w, r)
		return
	}
	first, end := s.page(q)
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>%s</Name><Prefix>%s</Prefix>`+
		"<MaxKeys>1000</MaxKeys><KeyCount>%d</KeyCount>", s.bucket, q.Get("prefix"), end-first)
	if q.Has("encoding-type") {
		b.WriteString("<EncodingType>url</EncodingType>")
	}
	more := end < len(s.keys) && strings.HasPrefix(s.keys[end], q.Get("prefix"))
	if fmt.Fprintf(&b, "<IsTruncated>%t</IsTruncated>", more); more {
		fmt.Fprintf(&b, "<NextContinuationToken>%d</NextContinuationToken>", end)
	}
	const tail = "</ListBucketResult>"
	body := s.entries[s.at(first):s.at(end)]
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()+len(body)+len(tail)))
	_, _ = w.Write([]byte(b.String()))
	_, _ = w.Write(body)
	_, _ = w.Write([]byte(tail))
}

// page is the range of keys that a request asks for.
func (s *stub) page(q url.Values) (first, end int) {
	if token := q.Get("continuation-token"); token != "" {
		first, _ = strconv.Atoi(token)
	} else if after := q.Get("start-after") + q.Get("marker"); after != "" {
		first = sort.Search(len(s.keys), func(i int) bool { return s.keys[i] > after })
	}
	prefix := q.Get("prefix")
	first = max(first, sort.SearchStrings(s.keys, prefix))
	limit, err := strconv.Atoi(q.Get("max-keys"))
	if err != nil || limit > 1000 {
		limit = 1000
	}
	rest := s.keys[first:min(first+limit, len(s.keys))]
	return first, first + sort.Search(len(rest), func(i int) bool { return !strings.HasPrefix(rest[i], prefix) })
}

// at is where an entry begins.
func (s *stub) at(i int) int {
	if i == 0 {
		return 0
	}
	return s.ends[i-1]
}

func (t task) emulate() error {
	s, err := newStub(t.Set)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, s) }()
	untilStopped("http://" + l.Addr().String())
	return nil
}
