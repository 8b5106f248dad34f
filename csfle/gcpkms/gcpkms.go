// Package gcpkms is a csfle.MasterKey that never leaves Google Cloud Key
// Management Service: the "gcp" provider of MongoDB's drivers. What it wraps, they
// unwrap, and the other way round.
package gcpkms

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/httptransport"
	"github.com/cenkalti/backoff/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/option"

	"mooring/csfle"
	"mooring/internal/errs"
)

// Scheme begins the URI of a key.
const Scheme = "gcp-kms://"

// Options name a key and say how it is reached.
type Options struct {
	// Name is the key's resource name, projects/P/locations/L/keyRings/R/cryptoKeys/K,
	// with /cryptoKeyVersions/V where it is not its primary version that wraps.
	Name     string
	Endpoint string // host[:port], instead of Google's own
	// Credentials, unless nil, take the place of the Application Default Credentials.
	Credentials *auth.Credentials
	// Transport, unless nil, carries the requests.
	Transport http.RoundTripper
	// Tries bounds how often a call is made that fails for now; 3 unless set.
	Tries uint
	// Timeout bounds a call with all its tries; 30 s unless set.
	Timeout time.Duration
}

// Nothing that has a meaning in a path is in a name.
var resource = regexp.MustCompile(`^projects/([A-Za-z0-9_-]+)/locations/([A-Za-z0-9_-]+)/keyRings/([A-Za-z0-9_-]+)/cryptoKeys/([A-Za-z0-9_-]+)(?:/cryptoKeyVersions/([0-9]+))?$`)

var host = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]{1,5})?$`)

// ParseURI reads gcp-kms://projects/…[?endpoint=HOST:PORT].
func ParseURI(uri string) (Options, error) {
	name, query, _ := strings.Cut(strings.TrimPrefix(uri, Scheme), "?")
	q, err := url.ParseQuery(query)
	o := Options{Name: name, Endpoint: q.Get("endpoint")}
	q.Del("endpoint")
	if err != nil || len(q) > 0 || !strings.HasPrefix(uri, Scheme) || !resource.MatchString(o.Name) || o.Endpoint != "" && !host.MatchString(o.Endpoint) {
		return Options{}, errs.New(errs.Invalid, "gcpkms.uri", "the URI of a key in Google Cloud KMS is gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K, with /cryptoKeyVersions/V to wrap by one version of it, and ?endpoint=HOST:PORT where it is not Google's own")
	}
	return o, nil
}

// Key is a key of Google Cloud KMS. It is safe for concurrent use.
type Key struct {
	name     string // without a version
	version  string // that wraps, or ""
	full     string
	document bson.Raw
	tries    uint
	timeout  time.Duration
	keys     *cloudkms.ProjectsLocationsKeyRingsCryptoKeysService
}

var _ csfle.MasterKey = (*Key)(nil)

// New makes a Key. It asks nobody but for where credentials are.
func New(ctx context.Context, o Options) (*Key, error) {
	const op = "gcpkms.new"
	parts := resource.FindStringSubmatch(o.Name)
	if parts == nil {
		return nil, errs.New(errs.Invalid, op, "not the resource name of a key")
	}
	raw, err := document(parts, o.Endpoint)
	if err != nil {
		return nil, err
	}
	if o.Endpoint == "" {
		o.Endpoint = "cloudkms.googleapis.com"
	}
	client, err := newClient(o)
	if err != nil {
		return nil, errs.New(errs.Invalid, op, "there are no Application Default Credentials for Google Cloud KMS, or they can't be read: GOOGLE_APPLICATION_CREDENTIALS names their file")
	}
	svc, err := cloudkms.NewService(ctx, option.WithHTTPClient(client), option.WithEndpoint("https://"+o.Endpoint+"/"), option.WithLogger(silent))
	if err != nil {
		return nil, errs.New(errs.Invalid, op, "Google's client of Cloud KMS can't be set up")
	}
	k := &Key{name: strings.Join(strings.Split(o.Name, "/")[:8], "/"), version: parts[5], full: o.Name, document: raw,
		tries: o.Tries, timeout: o.Timeout, keys: svc.Projects.Locations.KeyRings.CryptoKeys}
	if k.tries == 0 {
		k.tries = 3
	}
	if k.timeout == 0 {
		k.timeout = 30 * time.Second
	}
	return k, nil
}

// silent keeps Google's libraries from logging data keys where their environment
// variable asks for requests and answers.
var silent = slog.New(slog.DiscardHandler)

func newClient(o Options) (*http.Client, error) {
	if o.Credentials == nil {
		found, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: []string{cloudkms.CloudkmsScope}, Logger: silent})
		if err != nil {
			return nil, err
		}
		o.Credentials = found
	}
	c, err := httptransport.NewClient(&httptransport.Options{Credentials: o.Credentials, BaseRoundTripper: o.Transport, Logger: silent})
	if err != nil {
		return nil, err
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func document(parts []string, endpoint string) (bson.Raw, error) {
	doc := bson.D{{Key: "provider", Value: "gcp"}}
	for i, field := range []string{"projectId", "location", "keyRing", "keyName", "keyVersion"} {
		if parts[i+1] != "" {
			doc = append(doc, bson.E{Key: field, Value: parts[i+1]})
		}
	}
	if endpoint != "" {
		doc = append(doc, bson.E{Key: "endpoint", Value: endpoint})
	}
	return bson.Marshal(doc)
}

// Fingerprint returns the key's resource name.
func (k *Key) Fingerprint() string { return k.full }

// Matches reports whether the document names this key, wherever it says that it
// is reached. A key that was given with a version is not the one that a document
// with another version names.
func (k *Key) Matches(masterKey bson.Raw) bool {
	for _, field := range []string{"provider", "projectId", "location", "keyRing", "keyName"} {
		theirs, _ := masterKey.Lookup(field).StringValueOK()
		if ours, _ := k.document.Lookup(field).StringValueOK(); theirs != ours {
			return false
		}
	}
	version, _ := masterKey.Lookup("keyVersion").StringValueOK()
	return k.version == "" || version == "" || version == k.version
}

// Wrap implements csfle.MasterKey.
func (k *Key) Wrap(ctx context.Context, key []byte) ([]byte, bson.Raw, error) {
	const op, msg = "gcpkms.wrap", "Google Cloud KMS did not encrypt"
	req := &cloudkms.EncryptRequest{Plaintext: base64.StdEncoding.EncodeToString(key)}
	out, err := call(ctx, k, func(ctx context.Context) (string, error) {
		r, err := k.keys.Encrypt(k.full, req).Context(ctx).Do()
		if err != nil {
			return "", classify(err, false, op, msg)
		}
		return r.Ciphertext, nil
	})
	if err != nil {
		return nil, nil, err
	}
	material, err := base64.StdEncoding.DecodeString(out)
	if err != nil || len(material) == 0 {
		return nil, nil, errs.New(errs.Unavailable, op, msg+": its answer can't be read")
	}
	return material, append(bson.Raw(nil), k.document...), nil
}

// Unwrap implements csfle.MasterKey. Which version wrapped is in the material.
func (k *Key) Unwrap(ctx context.Context, keyMaterial []byte, masterKey bson.Raw) ([]byte, error) {
	const op, msg = "gcpkms.unwrap", "Google Cloud KMS did not decrypt"
	if !k.Matches(masterKey) {
		return nil, errs.New(errs.Corrupt, op, "the data key was not wrapped by "+k.full)
	}
	req := &cloudkms.DecryptRequest{Ciphertext: base64.StdEncoding.EncodeToString(keyMaterial)}
	out, err := call(ctx, k, func(ctx context.Context) (string, error) {
		r, err := k.keys.Decrypt(k.name, req).Context(ctx).Do()
		if err != nil {
			return "", classify(err, true, op, msg)
		}
		return r.Plaintext, nil
	})
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(out)
	if err != nil {
		return nil, errs.New(errs.Unavailable, op, msg+": its answer can't be read")
	}
	return key, nil
}

// call makes a call again that fails for now, which Google's client does not.
func call(ctx context.Context, k *Key, do func(context.Context) (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	out, err := backoff.Retry(ctx, func() (string, error) {
		out, err := do(ctx)
		if err != nil && !errs.Is(err, errs.Unavailable) {
			err = backoff.Permanent(err)
		}
		return out, err
	}, backoff.WithMaxTries(k.tries))
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		err = permanent.Unwrap()
	}
	return out, err
}
