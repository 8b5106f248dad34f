// Package awskms is a csfle.MasterKey that never leaves AWS Key Management
// Service: the "aws" provider of MongoDB's drivers. What it wraps, they unwrap, and
// the other way round.
package awskms

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
)

// Scheme begins the URI of a key.
const Scheme = "aws-kms://"

// Options name a key and say how it is reached.
type Options struct {
	ARN      string // of the key, not of an alias
	Endpoint string // host[:port], instead of the region's own
	// Config, unless nil, takes the place of the SDK's own chain of credentials.
	Config *aws.Config
	// Timeout bounds a call with all its tries; 30 s unless set.
	Timeout time.Duration
}

var arn = regexp.MustCompile(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+$`)

var host = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]{1,5})?$`)

// ParseURI reads aws-kms://ARN[?endpoint=HOST:PORT].
func ParseURI(uri string) (Options, error) {
	name, query, _ := strings.Cut(strings.TrimPrefix(uri, Scheme), "?")
	q, err := url.ParseQuery(query)
	o := Options{ARN: name, Endpoint: q.Get("endpoint")}
	q.Del("endpoint")
	if err != nil || len(q) > 0 || !strings.HasPrefix(uri, Scheme) || !arn.MatchString(o.ARN) || o.Endpoint != "" && !host.MatchString(o.Endpoint) {
		return Options{}, errs.New(errs.Invalid, "awskms.uri", "the URI of a key in AWS KMS is aws-kms://ARN, with ?endpoint=HOST:PORT where it is not the region's own; the ARN is that of a key, not of an alias")
	}
	return o, nil
}

// Key is a key of AWS KMS. It is safe for concurrent use.
type Key struct {
	arn      string
	document bson.Raw
	timeout  time.Duration
	client   *kms.Client
}

var _ csfle.MasterKey = (*Key)(nil)

// New makes a Key. It asks nobody but for where credentials are.
func New(ctx context.Context, o Options) (*Key, error) {
	parts := arn.FindStringSubmatch(o.ARN)
	if parts == nil {
		return nil, errs.New(errs.Invalid, "awskms.new", "not the ARN of a key")
	}
	c := o.Config
	if c == nil {
		own, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, errs.New(errs.Invalid, "awskms.new", "the credentials for AWS KMS can't be read from the environment or AWS's files")
		}
		c = &own
	}
	doc := bson.D{{Key: "provider", Value: "aws"}, {Key: "region", Value: parts[1]}, {Key: "key", Value: o.ARN}}
	if o.Endpoint != "" {
		doc = append(doc, bson.E{Key: "endpoint", Value: o.Endpoint})
	}
	raw, err := bson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	return &Key{arn: o.ARN, document: raw, timeout: timeout, client: kms.NewFromConfig(*c, func(k *kms.Options) {
		k.Region = parts[1]
		if o.Endpoint != "" {
			k.BaseEndpoint = aws.String("https://" + o.Endpoint)
		}
	})}, nil
}

// Fingerprint returns the key's ARN.
func (k *Key) Fingerprint() string { return k.arn }

// Matches reports whether the document names this key, wherever it says that it
// is reached.
func (k *Key) Matches(masterKey bson.Raw) bool {
	provider, _ := masterKey.Lookup("provider").StringValueOK()
	name, _ := masterKey.Lookup("key").StringValueOK()
	return provider == "aws" && name == k.arn
}

// Wrap implements csfle.MasterKey.
func (k *Key) Wrap(ctx context.Context, key []byte) ([]byte, bson.Raw, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	out, err := k.client.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(k.arn), Plaintext: key})
	if err != nil {
		return nil, nil, classify(err, "awskms.wrap", "AWS KMS did not encrypt")
	}
	return out.CiphertextBlob, append(bson.Raw(nil), k.document...), nil
}

// Unwrap implements csfle.MasterKey. It names the key, so that what another key of
// the account encrypted is refused.
func (k *Key) Unwrap(ctx context.Context, keyMaterial []byte, masterKey bson.Raw) ([]byte, error) {
	const op = "awskms.unwrap"
	if !k.Matches(masterKey) {
		return nil, errs.New(errs.Corrupt, op, "the data key was not wrapped by "+k.arn)
	}
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	out, err := k.client.Decrypt(ctx, &kms.DecryptInput{KeyId: aws.String(k.arn), CiphertextBlob: keyMaterial})
	if err != nil {
		return nil, classify(err, op, "AWS KMS did not decrypt")
	}
	return out.Plaintext, nil
}

// classify keeps of an error what helps and nothing that the service wrote.
func classify(err error, op, msg string) error {
	kind, code := errs.Unavailable, ""
	var wrong *types.InvalidCiphertextException
	var other *types.IncorrectKeyException
	var api smithy.APIError
	var status interface{ HTTPStatusCode() int }
	switch {
	case errors.As(err, &wrong), errors.As(err, &other):
		kind = errs.Corrupt
	case errors.As(err, &api) && errors.As(err, &status) && status.HTTPStatusCode() < 500 && status.HTTPStatusCode() != http.StatusTooManyRequests && !throttled(api.ErrorCode()):
		kind = errs.PermissionDenied
	case errors.Is(err, context.Canceled):
		kind = errs.Canceled
	}
	if errors.As(err, &api) {
		code = " (" + api.ErrorCode() + ")"
	}
	return errs.New(kind, op, msg+code)
}

func throttled(code string) bool {
	return code == "ThrottlingException" || code == "LimitExceededException" || code == "KMSInternalException" || code == "DependencyTimeoutException"
}
