package s3

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	s3Namespace  = "http://s3.amazonaws.com/doc/2006-03-01/"
	listTime     = "2006-01-02T15:04:05.000Z"
	emulatorID   = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"
	emulatorName = "emulator"
)

// encoder writes keys as encoding-type says.
type encoder struct {
	url     bool
	percent bool // a space is %20
}

func (s *Server) encoder(url bool) encoder {
	return encoder{url: url, percent: s.opts.PercentSpaces}
}

func (e encoder) key(s string) string {
	if !e.url {
		return s
	}
	out := strings.ReplaceAll(url.QueryEscape(s), "%2F", "/")
	if e.percent {
		out = strings.ReplaceAll(out, "+", "%20")
	}
	return out
}

// renderList writes a page in the form of the request's version.
func (x *exchange) renderList(l listQuery, p *page, enc encoder) []byte {
	var d document
	d.open("ListBucketResult", s3Namespace)
	d.element("Name", x.entry.Bucket)
	d.element("Prefix", enc.key(l.prefix))
	d.optional("Delimiter", enc.key(l.delimiter))
	d.element("MaxKeys", strconv.Itoa(l.maxKeys))
	if enc.url {
		d.element("EncodingType", "url")
	}
	d.element("IsTruncated", strconv.FormatBool(p.truncated))
	if l.v2 {
		d.element("KeyCount", strconv.Itoa(p.count()))
		d.optional("StartAfter", enc.key(l.startAfter))
		d.optional("ContinuationToken", l.token)
		if p.truncated {
			d.element("NextContinuationToken", sealToken(p.next))
		}
	} else {
		d.element("Marker", enc.key(l.startAfter))
		if p.truncated && l.delimiter != "" {
			d.element("NextMarker", enc.key(p.last))
		}
	}
	for _, o := range p.objects {
		d.object(o, l.owner, enc)
	}
	for _, prefix := range p.prefixes {
		d.open("CommonPrefixes", "")
		d.element("Prefix", enc.key(prefix))
		d.close("CommonPrefixes")
	}
	d.close("ListBucketResult")
	return d.bytes()
}

// object writes one entry of a list.
func (d *document) object(o *object, owner bool, enc encoder) {
	d.open("Contents", "")
	d.element("Key", enc.key(o.key))
	d.element("LastModified", o.modified.UTC().Format(listTime))
	d.element("ETag", `"`+o.etag+`"`)
	if c := o.checksum; c != nil {
		d.element("ChecksumAlgorithm", c.name())
		d.element("ChecksumType", string(c.kind))
	}
	d.element("Size", strconv.FormatInt(o.size, 10))
	if owner {
		d.owner()
	}
	d.element("StorageClass", o.storageClass())
	d.close("Contents")
}

func (d *document) owner() {
	d.open("Owner", "")
	d.element("ID", emulatorID)
	d.element("DisplayName", emulatorName)
	d.close("Owner")
}

// send answers 200 with an XML body.
func (x *exchange) send(body []byte) {
	h := x.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(body)
}

// listBuckets answers ListBuckets: the names with a prefix, of a region if one is
// named, max-buckets at a time.
func (x *exchange) listBuckets() error {
	q := x.query
	limit := 10_000
	if v := q.Get("max-buckets"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > limit {
			return invalid("max-buckets", v, "Argument max-buckets must be an integer between 1 and 10000")
		}
		limit = n
	}
	from := ""
	if t := q.Get("continuation-token"); t != "" {
		var ok bool
		if from, ok = openToken(t); !ok {
			return invalid("continuation-token", t, "The continuation token provided is incorrect")
		}
	}
	var d document
	d.open("ListAllMyBucketsResult", s3Namespace)
	d.owner()
	d.open("Buckets", "")
	n, next := 0, ""
	for _, b := range x.s.bucketList() {
		if x.plan.list.empty || b.name < from || !strings.HasPrefix(b.name, q.Get("prefix")) ||
			q.Get("bucket-region") != "" && q.Get("bucket-region") != b.region {
			continue
		}
		if n++; n > limit {
			next = b.name
			break
		}
		d.bucket(b)
	}
	d.close("Buckets")
	d.optional("Prefix", q.Get("prefix"))
	if next != "" {
		d.element("ContinuationToken", sealToken(next))
	}
	d.close("ListAllMyBucketsResult")
	x.send(d.bytes())
	return nil
}

func (d *document) bucket(b *bucket) {
	d.open("Bucket", "")
	d.element("Name", b.name)
	d.element("CreationDate", b.created.UTC().Format(listTime))
	d.element("BucketRegion", b.region)
	d.close("Bucket")
}

// headBucket answers HeadBucket: the region stands in a header.
func (x *exchange) headBucket() error {
	b, err := x.s.bucket(x.entry.Bucket)
	if err != nil {
		return err
	}
	x.w.Header().Set("X-Amz-Bucket-Region", b.region)
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// bucketLocation answers GetBucketLocation, where us-east-1 is an empty string.
func (x *exchange) bucketLocation() error {
	b, err := x.s.bucket(x.entry.Bucket)
	if err != nil {
		return err
	}
	region := b.region
	if region == "us-east-1" {
		region = ""
	}
	var d document
	d.open("LocationConstraint", s3Namespace)
	d.text(region)
	d.close("LocationConstraint")
	x.send(d.bytes())
	return nil
}

// httpTime is the form of Last-Modified and the like.
func httpTime(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
