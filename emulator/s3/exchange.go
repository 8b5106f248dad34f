package s3

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// exchange is one request on its way through the server.
type exchange struct {
	s     *Server
	r     *http.Request
	w     *responseWriter
	query url.Values
	form  url.Values // of an STS request
	body  []byte     // of an STS request
	entry *Request   // fields that the log's setters don't set are fixed
	plan  plan       // what the injected faults make of it
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.receive(w, r)
	s.log.add(x.entry)
	x.disturb()
	if x.plan.drop {
		x.w.Reset()
	}
	if err := x.answer(); err != nil {
		x.fail(err)
	}
}

// receive reads what a request asks.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{s: s, r: r, query: r.URL.Query()}
	e := &Request{Time: s.now(), Method: r.Method}
	e.RequestID = fmt.Sprintf("%016X", s.ids.Add(1))
	x.entry = e
	x.w = x.writer(w)
	w.Header().Set("x-amz-request-id", e.RequestID)
	w.Header().Set("x-amz-id-2", "emulator")
	w.Header().Set("Server", "AmazonS3")
	e.AccessKey = presentedKey(r, x.query)
	if x.readSTS() {
		return x
	}
	e.Bucket, e.Key = s.address(r)
	e.Operation = operationOf(r, e.Bucket, e.Key, x.query)
	e.Prefix = x.query.Get("prefix")
	e.Delimiter = x.query.Get("delimiter")
	e.StartAfter = x.query.Get("start-after")
	e.ContinuationToken = x.query.Get("continuation-token")
	e.MaxKeys = x.query.Get("max-keys")
	e.EncodingType = x.query.Get("encoding-type")
	e.VersionID = x.query.Get("versionId")
	e.Range = r.Header.Get("Range")
	e.IfMatch = r.Header.Get("If-Match")
	e.IfNoneMatch = r.Header.Get("If-None-Match")
	e.ChecksumMode = r.Header.Get("X-Amz-Checksum-Mode")
	return x
}

// address finds bucket and key in the host name or the path.
func (s *Server) address(r *http.Request) (bucket, key string) {
	if s.opts.Domain != "" {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if name, ok := strings.CutSuffix(host, "."+s.opts.Domain); ok {
			return name, strings.TrimPrefix(r.URL.Path, "/")
		}
	}
	return split(r.URL.Path)
}

// answer does what is asked.
func (x *exchange) answer() error {
	if x.plan.reply != nil {
		return x.plan.reply
	}
	if x.entry.Operation.sts() {
		return x.sts()
	}
	who, err := x.authenticate()
	if err != nil {
		return err
	}
	if err := x.authorize(who); err != nil {
		return err
	}
	return x.perform(who)
}

// perform does what is asked by one who may.
func (x *exchange) perform(who *credential) error {
	switch x.entry.Operation {
	case ListBuckets:
		return x.listBuckets()
	case HeadBucket:
		return x.headBucket()
	case GetBucketLocation:
		return x.bucketLocation()
	case ListObjects, ListObjectsV2:
		return x.list()
	case GetObject, HeadObject:
		return x.get(who)
	default:
		return x.write()
	}
}
