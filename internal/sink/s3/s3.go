// Package s3 is a destination that is a bucket of Amazon S3 or of a service
// that speaks its protocol: each of our buckets has the keys below
// <prefix>/<organization>/<bucket>/, objects stand there under their recorded
// names, and what is being written waits below .mooring/staging/.
//
// S3 has no rename. Content is uploaded once, under its staging name, and placed
// by a copy that the service makes. The staged object is deleted when placements
// are settled, which comes before any later one of the same name: so a worker
// that slept finds nothing that it could still copy over newer bytes. A copy that
// is under way meanwhile is stopped by its condition on what stood there before,
// where the service has such conditions.
package s3

import (
	"context"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/semaphore"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/sink"
)

const (
	systemDir  = bucket.SystemPrefix + "/"
	stagingDir = systemDir + "staging/"

	maxKey       = 1024 // bytes, of S3
	maxComponent = 255  // so that what is downloaded fits into a file system
	maxParts     = 10_000
	mebi         = 1 << 20

	tries      = 5
	maxBackoff = 20 * time.Second
	readStall  = 5 * time.Minute
	abortGrace = 30 * time.Second
)

// Options of a destination.
type Options struct {
	Endpoint      string // URL; "" is AWS
	VirtualHosted bool   // at an Endpoint, the bucket is part of the host's name
	Region        string
	Bucket        string
	Prefix        string // ours are the keys below it; "" is the whole bucket
	Credentials   aws.CredentialsProvider

	// The rest has defaults. PartSize is the least that is uploaded in parts, and
	// Memory what all content being written may hold. CopyLimit is the size that
	// one request may copy, CopyPart that of the parts of larger copies.
	PartSize  int64
	Memory    int64
	CopyLimit int64
	CopyPart  int64
}

func (o Options) withDefaults() Options {
	def := func(n *int64, d int64) {
		if *n <= 0 {
			*n = d
		}
	}
	def(&o.PartSize, 8*mebi)
	def(&o.Memory, 64*mebi)
	def(&o.CopyLimit, 5<<30)
	def(&o.CopyPart, 1<<30)
	o.Prefix = strings.Trim(o.Prefix, "/")
	return o
}

// Destination is a bucket that holds the parts of buckets.
type Destination struct {
	Options
	client *sdk.Client
	memory *semaphore.Weighted

	// plain is set once the service has said that it does not know conditions on
	// copies and deletions.
	plain atomic.Bool
}

var _ sink.Destination = (*Destination)(nil)

// New makes a destination; nothing is asked of the service yet. The client is
// the operator's own: it goes wherever the operator says, by the proxy that the
// environment names, unlike those of connections.
func New(o Options) (*Destination, error) {
	const op = "s3.new"
	o = o.withDefaults()
	if o.Bucket == "" || o.Region == "" || o.Credentials == nil {
		return nil, errs.New(errs.Internal, op, "a bucket, a region and credentials are needed")
	}
	if len(o.Prefix) > maxKey/2 || o.Prefix != "" && path.Clean(o.Prefix) != o.Prefix {
		return nil, errs.New(errs.Invalid, op, "the prefix of a destination must be a short, clean path such as mooring/content")
	}
	d := &Destination{Options: o, memory: semaphore.NewWeighted(o.Memory)}
	d.client = sdk.New(sdk.Options{
		Region: o.Region, Credentials: o.Credentials, HTTPClient: awshttp.NewBuildableClient().WithReadTimeout(readStall),
		UsePathStyle: o.Endpoint != "" && !o.VirtualHosted,
		Retryer: retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.MaxBackoff = tries, maxBackoff
		}),
		RequestChecksumCalculation:                aws.RequestChecksumCalculationWhenRequired, // see checked
		ResponseChecksumValidation:                aws.ResponseChecksumValidationWhenRequired,
		DisableLogOutputChecksumValidationSkipped: true,
	}, func(s *sdk.Options) {
		if o.Endpoint != "" {
			s.BaseEndpoint = aws.String(o.Endpoint)
		}
	})
	return d, nil
}

// Bucket opens the part of a bucket. For one that records no rules, which is
// about to be created, it writes and deletes an object, so that a destination
// that can't be used says so at once.
func (d *Destination) Bucket(ctx context.Context, b bucket.Bucket) (sink.Sink, error) {
	const op = "s3.open"
	if err := ctx.Err(); err != nil {
		return nil, errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	if err := sink.CheckBucket(op, b); err != nil {
		return nil, err
	}
	p := &part{d: d, root: path.Join(d.Prefix, string(b.Org), string(b.ID)) + "/", rules: b.Rules, writers: map[string]*writer{}, staged: map[string]version{}, placed: map[string]struct{}{}}
	if p.rules != (bucket.Rules{}) {
		return p, nil
	}
	p.rules = bucket.Rules{MaxComponent: maxComponent, MaxPath: maxKey - len(p.root)}
	return p, p.probe(ctx)
}

// Free is not known of a service.
func (d *Destination) Free(context.Context) (float64, error) { return 1, nil }
