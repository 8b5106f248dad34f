// Package s3 is the adapter for Amazon S3, what speaks its protocol, and Tigris.
//
// An item's id is "bucket/key", the key byte for byte. A scope is "bucket" or
// "bucket/prefix"; a prefix is a folder: it takes the keys that begin with
// "prefix/" and the key "prefix" itself, but not "prefix-other". A prefix that
// ends in a slash takes only what is below it.
//
// There is no feed: every enumeration is a snapshot, in the order of raw bytes.
// That order is asserted, since servers other than S3 may break it: then
// Changes returns errs.Corrupt with driver.CodeListOrder, and a scope that is
// Unordered is enumerated without relying on it.
package s3

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider/driver"
)

// source is an open connection.
type source struct {
	settings
	http   *http.Client
	creds  aws.CredentialsProvider
	role   *role // nil with an access key
	now    func() time.Time
	bucket string // that a check reads, "" when not configured

	skew atomic.Int64 // of the server's clock from ours, nanoseconds; the SDK's clients keep their own

	mu        sync.Mutex
	clients   map[string]*sdk.Client // by region
	regions   map[string]string      // of buckets found elsewhere
	endpoints map[bucketIn]*endpoint
}

// settings say where requests go.
type settings struct {
	region    string
	endpoint  string // "": AWS
	custom    bool   // the tenant's endpoint: it has no other regions
	pathStyle bool
	plain     bool // no TLS, where endpoint does not say
}

var (
	_ driver.Source     = (*source)(nil)
	_ driver.Splitter   = (*source)(nil)
	_ driver.Ranger     = (*source)(nil)
	_ driver.Attributer = (*source)(nil)
)

// Open is the driver.Opener of the providers s3 and tigris. No identity but the
// configured one is ever used: nothing is read from the environment.
func Open(_ context.Context, c config.Config, o driver.Options) (driver.Source, error) {
	if o.Transport == nil {
		return nil, errs.New(errs.Internal, "s3.open", "no transport was given")
	}
	set, err := settingsOf(c, o)
	if err != nil {
		return nil, err
	}
	s := &source{
		settings: set, now: o.Now, bucket: c.Target(),
		// A request is signed for one host: a redirect is an answer, not a way.
		http:    bounded(outbound.NoRedirects(o.Transport.Client(!c.Flag("verify_ssl") && c.Fields["verify_ssl"] != nil)), maxAnswer),
		clients: map[string]*sdk.Client{}, regions: map[string]string{}, endpoints: map[bucketIn]*endpoint{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	switch c.Credential {
	case "access_key":
		s.creds, err = staticKeys(c)
	case "iam_role":
		s.role, err = newRole(c, o, set.region)
		s.creds = s.role
	default:
		err = invalid("credentials of type " + c.Credential + " are not for this provider")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

var regionName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func settingsOf(c config.Config, o driver.Options) (settings, error) {
	set := settings{region: c.Text("region"), endpoint: c.Text("endpoint_url")}
	if ssl, ok := c.Fields["use_ssl"].(bool); ok {
		set.plain = !ssl
	}
	if c.Provider == "tigris" {
		if set.region == "" {
			set.region = "auto"
		}
		if set.endpoint == "" {
			set.endpoint = "https://fly.storage.tigris.dev"
		}
	}
	if !regionName.MatchString(set.region) {
		return set, invalid("the region is not a region's name, such as us-east-1")
	}
	set.custom = set.endpoint != ""
	if e := o.Endpoints["api"]; e != "" {
		set.endpoint = e
	}
	if set.endpoint == "" {
		return set, nil
	}
	if !strings.Contains(set.endpoint, "://") {
		set.endpoint = map[bool]string{true: "http://", false: "https://"}[set.plain] + set.endpoint
	}
	u, err := url.Parse(set.endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return set, invalid("the endpoint is not a URL such as https://s3.example.com")
	}
	set.pathStyle = c.Provider != "tigris" || !tigrisHost(u.Hostname())
	return set, nil
}

// tigrisHost says whether a host is one of Tigris' public endpoints, which are
// virtual-hosted. Anything else with its protocol is a server of somebody's own.
func tigrisHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, public := range []string{"t3.storage.dev", "fly.storage.tigris.dev", "t3.storageapi.dev"} {
		if host == public || strings.HasSuffix(host, "."+public) {
			return true
		}
	}
	return false
}

// client returns the client for the region that a bucket is known to be in.
func (s *source) client(bucket string) *sdk.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	region := s.region
	if r, ok := s.regions[bucket]; ok {
		region = r
	}
	c := s.clients[region]
	if c == nil {
		o := sdk.Options{
			Region: region, Credentials: s.creds, HTTPClient: s.http, UsePathStyle: s.pathStyle,
			Retryer: aws.NopRetryer{}, RetryMaxAttempts: 1,
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
			ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		}
		o.DisableLogOutputChecksumValidationSkipped = true
		if s.endpoint != "" {
			o.BaseEndpoint = aws.String(s.endpoint)
		} else {
			o.EndpointOptions.DisableHTTPS = s.plain
		}
		c = sdk.New(o)
		s.clients[region] = c
	}
	return c
}

// regionOf returns the region that requests for a bucket are signed for.
func (s *source) regionOf(bucket string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.regions[bucket]; ok {
		return r
	}
	return s.region
}

func (s *source) moved(bucket, region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.regions[bucket] = region
}

// Close implements driver.Source.
func (s *source) Close() error { return nil }

func invalid(msg string) error {
	return &errs.Error{Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "s3.open", Msg: msg}
}
