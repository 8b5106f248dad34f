package s3_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/s3"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

func TestCheckReadsOneKeyOfTheTarget(t *testing.T) {
	for name, c := range map[string]struct {
		bucket, target string
		asks           emulator.Operation
		of             string
	}{
		"neither":        {"", "", emulator.ListBuckets, ""},
		"target":         {"", "data/in", emulator.ListObjectsV2, "data"},
		"configured":     {"data", "", emulator.ListObjectsV2, "data"},
		"configured one": {"data", "other/x", emulator.ListObjectsV2, "data"},
	} {
		srv := start(t, emulator.Options{})
		put(t, srv, "a", "x")
		cfg := access("s3")
		if c.bucket != "" {
			cfg.Fields["bucket"] = c.bucket
		}
		r, err := open(t, cfg, options(t, srv)).Check(t.Context(), c.target)
		if err != nil || r.Message == "" || r.Details["region"] != "us-east-1" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		got := srv.Requests()
		if len(got) != 1 || got[0].Operation != c.asks || got[0].Bucket != c.of || c.of != "" && got[0].MaxKeys != "1" {
			t.Errorf("%s: asked %+v", name, got)
		}
	}
}

func TestCheckWithoutTheRightToListBuckets(t *testing.T) {
	srv := start(t, emulator.Options{Keys: []emulator.AccessKey{{
		ID: emulator.DefaultAccessKeyID, Secret: emulator.DefaultSecretAccessKey, Deny: []emulator.Match{emulator.On(emulator.ListBuckets)},
	}}})
	r, err := opened(t, srv).Check(t.Context(), "")
	if err != nil || r.Details["note"] != "cannot list buckets" {
		t.Errorf("%+v, %v", r, err)
	}
	bad := access("s3")
	bad.Secrets = map[string]secret.String{"secret_access_key": secret.New("wrong")}
	_, err = open(t, bad, options(t, srv)).Check(t.Context(), "")
	kind(t, err, errs.Unauthenticated, errs.ScopeConnection)
	srv.Inject(emulator.Fault{Action: emulator.ReplyCode("AccessDenied")})
	_, err = opened(t, srv).Check(t.Context(), "data")
	kind(t, err, errs.PermissionDenied, errs.ScopePath)
}

func TestBucketsOfOtherRegions(t *testing.T) {
	srv := start(t, emulator.Options{})
	must(t, srv.CreateBucketIn("far", "eu-west-1"))
	must(t, srv.Put("far", "k", []byte("content"), emulator.PutOptions{}))
	src := opened(t, srv)
	r, err := src.Check(t.Context(), "far")
	if err != nil || r.Details["region"] != "eu-west-1" || !strings.Contains(r.Details["note"].(string), "eu-west-1") || srv.Count() != 2 {
		t.Errorf("%+v, %v, %d requests", r, err, srv.Count())
	}
	it := one(t, src, "far")
	if got, err := read(t, src, it, 0); got != "content" || err != nil || srv.Count() != 4 {
		t.Errorf("%q, %v, %d requests: the region is not kept", got, err, srv.Count())
	}
	// From another region than the endpoint's: 400 instead of 301.
	c := access("s3")
	c.Fields["region"] = "ap-south-1"
	if _, err := open(t, c, options(t, srv)).Check(t.Context(), "data"); err != nil {
		t.Errorf("AuthorizationHeaderMalformed: %v", err)
	}
	// A first request that is a HEAD says nothing but 301.
	if _, err := opened(t, srv).Stat(t.Context(), driver.Scope{Path: "far"}, "far/k"); err != nil {
		t.Errorf("HEAD: %v", err)
	}
	// An answer without the header is followed by HeadBucket.
	srv.ResetRequests()
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Times: 1, Action: emulator.ReplyCode("PermanentRedirect")})
	if _, err := opened(t, srv).Check(t.Context(), "far"); err != nil || srv.Count(emulator.HeadBucket) != 1 {
		t.Errorf("without the header: %v, %d HeadBucket", err, srv.Count(emulator.HeadBucket))
	}
	// Never there and back again.
	srv.ResetRequests()
	for n := 1; n <= 6; n++ {
		srv.Inject(emulator.Fault{
			Match: emulator.On(emulator.ListObjectsV2), Nth: n, Action: emulator.WrongRegion([]string{"eu-north-1", "eu-west-1"}[n%2]),
		})
	}
	_, err = opened(t, srv).Check(t.Context(), "data")
	if kind(t, err, errs.Invalid, errs.ScopePath); srv.Count() != 2 {
		t.Errorf("%d requests", srv.Count())
	}
	srv.ClearFaults()
	// Only once.
	srv.ResetRequests()
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Action: emulator.WrongRegion("eu-north-1")})
	_, err = opened(t, srv).Check(t.Context(), "data")
	if kind(t, err, errs.Invalid, errs.ScopePath); srv.Count() != 2 {
		t.Errorf("%d requests", srv.Count())
	}
}

func TestACustomEndpointHasNoOtherRegions(t *testing.T) {
	srv := start(t, emulator.Options{})
	must(t, srv.CreateBucketIn("far", "eu-west-1"))
	c := access("s3")
	c.Fields["endpoint_url"] = srv.URL()
	_, err := open(t, c, options(t, srv)).Check(t.Context(), "far")
	if kind(t, err, errs.Invalid, errs.ScopePath); srv.Count() != 1 {
		t.Errorf("%d requests", srv.Count())
	}
}

// identity is the operator's.
type identity struct{ id, key string }

func (i identity) Credentials() (string, secret.String, secret.String, bool) {
	return i.id, secret.New(i.key), secret.String{}, i.id != ""
}

// assumed is a source that assumes a role of the emulator's.
func assumed(t *testing.T, role emulator.Role, c config.Config) (driver.Source, *emulator.Server) {
	srv := start(t, emulator.Options{Keys: []emulator.AccessKey{{ID: "AKIAOPERATOR00000000", Secret: "operators"}}})
	role.ARN, role.Trust = roleARN, append(role.Trust, "AKIAOPERATOR00000000")
	srv.AddRole(role)
	put(t, srv, "k", "content")
	o := options(t, srv)
	o.OwnIdentity = identity{"AKIAOPERATOR00000000", "operators"}
	return open(t, c, o), srv
}

func TestAssumedRole(t *testing.T) {
	src, srv := assumed(t, emulator.Role{ExternalID: "external-id"}, roleConfig())
	if _, err := src.Check(t.Context(), "data"); err != nil {
		t.Fatal(err)
	}
	if srv.Count() != 3 || srv.Count(emulator.AssumeRole) != 2 {
		t.Errorf("%d requests, %d to STS", srv.Count(), srv.Count(emulator.AssumeRole))
	}
	for _, r := range srv.Requests() {
		if r.Operation != emulator.AssumeRole && !strings.HasPrefix(r.AccessKey, "ASIA") {
			t.Errorf("%s is signed by %s: the operator's key left for the tenant's storage", r.Operation, r.AccessKey)
		}
	}
	if got, err := read(t, src, one(t, src, "data"), 0); got != "content" || err != nil || srv.Count(emulator.AssumeRole) != 2 {
		t.Errorf("%q, %v, assumed %d times", got, err, srv.Count(emulator.AssumeRole))
	}
}

// TestAnAnswerOfSTSWithoutEndIsGivenUp: as one of S3.
func TestAnAnswerOfSTSWithoutEndIsGivenUp(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		for _, err := w.Write([]byte("<AssumeRoleResponse>")); err == nil && r.Context().Err() == nil; {
			_, err = w.Write(bytes.Repeat([]byte("<a></a>"), 1<<15))
		}
	}))
	defer endless.Close()
	srv := start(t, emulator.Options{})
	o := options(t, srv)
	o.OwnIdentity, o.Endpoints["sts"] = identity{"AKIAOPERATOR00000000", "operators"}, endless.URL
	if _, err := open(t, roleConfig(), o).Check(t.Context(), "data"); err == nil || srv.Count() != 0 {
		t.Errorf("%v after %d requests to the storage", err, srv.Count())
	}
}

func TestARoleMustDemandItsExternalID(t *testing.T) {
	src, _ := assumed(t, emulator.Role{}, roleConfig())
	_, err := src.Check(t.Context(), "data")
	if e := kind(t, err, errs.Invalid, errs.ScopeConnection); e.Code != "ExternalIdNotRequired" {
		t.Errorf("%+v", e)
	}
	src, srv := assumed(t, emulator.Role{ExternalID: "external-id"}, roleConfig())
	srv.Inject(emulator.Fault{
		Match:  emulator.Match{Operations: []emulator.Operation{emulator.AssumeRole}, If: func(r emulator.Request) bool { return r.ExternalID == "" }},
		Action: emulator.ReplyCode("InternalError"),
	})
	_, err = src.Check(t.Context(), "data")
	kind(t, err, errs.Unavailable, errs.ScopeConnection) // not proven is not passed
}

func TestFailuresOfSTSAreToldApart(t *testing.T) {
	other := roleConfig()
	other.Credentials["external_id"] = "of-another-organization"
	src, srv := assumed(t, emulator.Role{ExternalID: "external-id"}, other)
	for _, call := range []func() error{
		func() error { return second(src.Check(t.Context(), "data")) },
		func() error { return second(src.Changes(t.Context(), data, nil)) },
	} {
		e := kind(t, call(), errs.Unauthenticated, errs.ScopeConnection)
		if e.Op != "sts.assume_role" || e.Code != "AccessDenied" || !strings.Contains(e.Msg, "trust") {
			t.Errorf("%+v", e)
		}
	}
	if srv.Count(emulator.ListObjectsV2) != 0 {
		t.Error("S3 was asked without a session")
	}
	for code, w := range map[string]struct {
		kind   errs.Kind
		origin errs.Origin
	}{
		"InvalidClientTokenId":    {errs.Internal, errs.Ours}, // the operator's own identity
		"ExpiredToken":            {errs.Internal, errs.Ours},
		"SignatureDoesNotMatch":   {errs.Internal, errs.Ours},
		"RegionDisabledException": {errs.Invalid, errs.Provider},
		"ValidationError":         {errs.Invalid, errs.Provider},
		"Throttling":              {errs.Throttled, errs.Provider},
		"InternalError":           {errs.Unavailable, errs.Provider},
	} {
		src, srv := assumed(t, emulator.Role{ExternalID: "external-id"}, roleConfig())
		srv.Inject(emulator.Fault{Match: emulator.On(emulator.AssumeRole), Action: emulator.Reply(emulator.Error{Code: code, Message: bodyText})})
		_, err := src.Changes(t.Context(), data, nil)
		e := errs.From(err)
		if e.Kind != w.kind || e.Origin != w.origin || e.Scope != errs.ScopeConnection || e.Code != code || strings.Contains(err.Error(), bodyText) {
			t.Errorf("%s: %v, origin %v, scope %v: %v", code, e.Kind, e.Origin, e.Scope, err)
		}
	}
}

func TestASessionThatEndsMidwayIsRenewed(t *testing.T) {
	src, srv := assumed(t, emulator.Role{ExternalID: "external-id"}, roleConfig())
	it := one(t, src, "data")
	expire := func(op emulator.Operation) {
		srv.Inject(emulator.Fault{Match: emulator.On(op), Times: 1, Action: emulator.ExpireSession()})
	}
	expire(emulator.GetObject)
	if got, err := read(t, src, it, 0); got != "content" || err != nil {
		t.Errorf("GET: %q, %v", got, err)
	}
	expire(emulator.HeadObject)
	if _, err := src.Stat(t.Context(), data, it.ID); err != nil {
		t.Errorf("HEAD: %v", err)
	}
	expire(emulator.ListObjectsV2)
	if _, err := src.Changes(t.Context(), data, nil); err != nil {
		t.Errorf("list: %v", err)
	}
	if n := srv.Count(emulator.AssumeRole); n != 4 {
		t.Errorf("assumed %d times, want 4", n)
	}
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Action: emulator.ReplyCode("ExpiredToken")})
	_, err := src.Changes(t.Context(), data, nil)
	if kind(t, err, errs.Unauthenticated, errs.ScopeConnection); srv.Count(emulator.AssumeRole) != 5 {
		t.Errorf("assumed %d times: renewed more than once", srv.Count(emulator.AssumeRole))
	}
}

func TestASessionOfTheTenantsOwnCanNotBeRenewed(t *testing.T) {
	srv := start(t, emulator.Options{Keys: []emulator.AccessKey{{
		ID: "ASIATENANT0000000000", Secret: "tenants", SessionToken: "tenants-token", Expires: time.Now().Add(time.Hour),
	}}})
	put(t, srv, "k", "content")
	c := access("s3")
	c.Credentials = map[string]any{"access_key_id": "ASIATENANT0000000000"}
	c.Secrets = map[string]secret.String{"secret_access_key": secret.New("tenants"), "session_token": secret.New("tenants-token")}
	src := open(t, c, options(t, srv))
	it := one(t, src, "data")
	srv.ExpireSession("ASIATENANT0000000000")
	_, err := read(t, src, it, 0)
	if e := kind(t, err, errs.Unauthenticated, errs.ScopeConnection); e.Code != "ExpiredToken" {
		t.Errorf("%+v", e)
	}
}
