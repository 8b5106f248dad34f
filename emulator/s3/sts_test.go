package s3_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring/emulator/s3"
)

const (
	roleARN = "arn:aws:iam::123456789012:role/team/reader"
	openARN = "arn:aws:iam::123456789012:role/open"
)

// roles starts a server on which AKIABASE may assume a role that wants an external
// id and one that does not; AKIAOTHER may assume none.
func roles(t *testing.T, opts s3.Options) *s3.Server {
	opts.Keys = []s3.AccessKey{
		{ID: "AKIABASE", Secret: "base"}, {ID: "AKIAOTHER", Secret: "other"},
		{ID: "ASIAOLD", Secret: "old", SessionToken: "old", Expires: time.Unix(1, 0)},
	}
	opts.Roles = []s3.Role{
		{ARN: roleARN, Trust: []string{"AKIABASE"}, ExternalID: "right:id"},
		{ARN: openARN, Trust: []string{"AKIABASE", roleARN}, Deny: []s3.Match{s3.On(s3.ListBuckets)}},
	}
	return start(t, opts)
}

var baseLogin = login{id: "AKIABASE", secret: "base"}

func assume(arn, external string) *sts.AssumeRoleInput {
	in := &sts.AssumeRoleInput{RoleArn: aws.String(arn), RoleSessionName: aws.String("session"), DurationSeconds: aws.Int32(900)}
	if external != "" {
		in.ExternalId = aws.String(external)
	}
	return in
}

func TestAssumeRole(t *testing.T) {
	clock := newClock()
	srv := roles(t, s3.Options{Now: clock.now})
	out, err := stsClient(t, srv, baseLogin).AssumeRole(context.Background(), assume(roleARN, "right:id"))
	must(t, err)
	k := out.Credentials
	if !k.Expiration.Equal(clock.now().Add(15*time.Minute)) || aws.ToString(out.AssumedRoleUser.Arn) != "arn:aws:sts::123456789012:assumed-role/reader/session" {
		t.Fatalf("%v, %s", k.Expiration, aws.ToString(out.AssumedRoleUser.Arn))
	}
	session := login{id: *k.AccessKeyId, secret: *k.SecretAccessKey, token: *k.SessionToken}
	must(t, try(t, srv, session))
	wantCode(t, try(t, srv, login{id: session.id, secret: session.secret, token: "bogus"}), "InvalidToken", 400)
	clock.advance(15*time.Minute - time.Second)
	must(t, try(t, srv, session))
	clock.advance(time.Second)
	wantCode(t, try(t, srv, session), "ExpiredToken", 400)
	if e := srv.Requests()[0]; e.Operation != s3.AssumeRole || e.RoleARN != roleARN || e.ExternalID != "right:id" || e.Status != 200 {
		t.Fatalf("%+v", e)
	}
}

func TestAssumeRoleRefused(t *testing.T) {
	srv := roles(t, s3.Options{DisabledSTSRegions: []string{"eu-south-1"}})
	long := assume(openARN, "")
	long.DurationSeconds = aws.Int32(7200)
	short := assume(openARN, "")
	short.DurationSeconds = aws.Int32(60)
	badName := assume(openARN, "")
	badName.RoleSessionName = aws.String("with space")
	for name, c := range map[string]struct {
		login  login
		in     *sts.AssumeRoleInput
		code   string
		status int
	}{
		"wrong external id":   {baseLogin, assume(roleARN, "wrong:id"), "AccessDenied", 403},
		"no external id":      {baseLogin, assume(roleARN, ""), "AccessDenied", 403},
		"not trusted":         {login{id: "AKIAOTHER", secret: "other"}, assume(openARN, ""), "AccessDenied", 403},
		"no such role":        {baseLogin, assume(roleARN+"x", "right:id"), "AccessDenied", 403},
		"not a role":          {baseLogin, assume("arn:aws:iam::1:role/abcdefgh", ""), "ValidationError", 400},
		"bad external id":     {baseLogin, assume(roleARN, "with space"), "ValidationError", 400},
		"bad session name":    {baseLogin, badName, "ValidationError", 400},
		"too long a session":  {baseLogin, long, "ValidationError", 400},
		"too short a session": {baseLogin, short, "ValidationError", 400},
		"unknown key":         {login{id: "AKIANOBODY", secret: "x"}, assume(openARN, ""), "InvalidClientTokenId", 403},
		"unknown token":       {login{id: "AKIABASE", secret: "base", token: "bogus"}, assume(openARN, ""), "InvalidClientTokenId", 403},
		"wrong secret":        {login{id: "AKIABASE", secret: "wrong"}, assume(openARN, ""), "SignatureDoesNotMatch", 403},
		"expired base":        {login{id: "ASIAOLD", secret: "old", token: "old"}, assume(openARN, ""), "ExpiredToken", 403},
		"disabled region":     {login{id: "AKIABASE", secret: "base", region: "eu-south-1"}, assume(openARN, ""), "RegionDisabledException", 403},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := stsClient(t, srv, c.login).AssumeRole(context.Background(), c.in)
			wantCode(t, err, c.code, c.status)
			if c.code == "AccessDenied" && !strings.Contains(err.Error(), "is not authorized to perform: sts:AssumeRole on resource: "+*c.in.RoleArn) {
				t.Fatal(err)
			}
		})
	}
}

func TestRoleWithoutExternalID(t *testing.T) {
	srv := roles(t, s3.Options{})
	for _, external := range []string{"", "any"} {
		_, err := stsClient(t, srv, baseLogin).AssumeRole(context.Background(), assume(openARN, external))
		must(t, err)
	}
	long := assume(openARN, "")
	long.DurationSeconds = aws.Int32(7200)
	srv.AddRole(s3.Role{ARN: openARN, Trust: []string{"AKIABASE"}, MaxDuration: 2 * time.Hour})
	_, err := stsClient(t, srv, baseLogin).AssumeRole(context.Background(), long)
	must(t, err)
	srv.RemoveRole(openARN)
	_, err = stsClient(t, srv, baseLogin).AssumeRole(context.Background(), assume(openARN, ""))
	wantCode(t, err, "AccessDenied", 403)
}

// The session of one role assumes another, and has that one's permissions.
func TestRoleChain(t *testing.T) {
	srv := roles(t, s3.Options{})
	chain := func(l login, arn, external string) login {
		out, err := stsClient(t, srv, l).AssumeRole(context.Background(), assume(arn, external))
		must(t, err)
		return login{id: *out.Credentials.AccessKeyId, secret: *out.Credentials.SecretAccessKey, token: *out.Credentials.SessionToken}
	}
	first := chain(baseLogin, roleARN, "right:id")
	_, err := client(t, srv, first).ListBuckets(context.Background(), nil)
	must(t, err)
	second := chain(first, openARN, "")
	_, err = client(t, srv, second).ListBuckets(context.Background(), nil)
	wantCode(t, err, "AccessDenied", 403)
	id, err := stsClient(t, srv, second).GetCallerIdentity(context.Background(), nil)
	must(t, err)
	if got := aws.ToString(id.Arn); got != "arn:aws:sts::123456789012:assumed-role/open/session" {
		t.Fatalf("Arn is %q", got)
	}
}

// The SDK's own provider refreshes a session that is short.
func TestShortSessionsAreRefreshed(t *testing.T) {
	clock := newClock()
	srv := roles(t, s3.Options{Now: clock.now})
	srv.AddRole(s3.Role{ARN: roleARN, Trust: []string{"AKIABASE"}, ExternalID: "right:id", Lifetime: time.Minute})
	p := stscreds.NewAssumeRoleProvider(stsClient(t, srv, baseLogin), roleARN, func(o *stscreds.AssumeRoleOptions) {
		o.ExternalID = aws.String("right:id")
	})
	creds, err := p.Retrieve(context.Background())
	must(t, err)
	if !creds.Expires.Equal(clock.now().Add(time.Minute)) {
		t.Fatalf("expires %s", creds.Expires)
	}
}

func TestSTSFaults(t *testing.T) {
	srv := roles(t, s3.Options{})
	srv.Inject(s3.Fault{Match: s3.On(s3.AssumeRole), Times: 1, Action: s3.Reply(s3.Error{Status: 400, Code: "Throttling", Message: "Rate exceeded"})})
	_, err := stsClient(t, srv, baseLogin).AssumeRole(context.Background(), assume(openARN, ""))
	wantCode(t, err, "Throttling", 400)
	if headerOf(err, "x-amz-request-id") != last(srv).RequestID {
		t.Fatalf("%v", err)
	}
	srv.Inject(s3.Fault{Match: s3.On(s3.AssumeRole), Times: 1, Action: s3.InternalError()})
	var body string
	_, err = stsClient(t, srv, baseLogin).AssumeRole(context.Background(), assume(openARN, ""), func(o *sts.Options) {
		o.HTTPClient = &http.Client{Transport: capture{&body}}
	})
	wantCode(t, err, "InternalError", 500)
	if between(body, "<Type>", "</") != "Receiver" {
		t.Fatal(body)
	}
	_, err = stsClient(t, srv, baseLogin).AssumeRole(context.Background(), assume(openARN, ""))
	must(t, err)
}

func TestSTSWantsASignature(t *testing.T) {
	srv := roles(t, s3.Options{})
	resp, err := http.PostForm(srv.URL()+"/", url.Values{"Action": {"AssumeRole"}, "RoleArn": {openARN}, "RoleSessionName": {"s"}})
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != 403 || last(srv).Code != "MissingAuthenticationToken" {
		t.Fatalf("%d, %+v", resp.StatusCode, last(srv))
	}
	// The signature covers the form.
	_, err = stsClient(t, srv, baseLogin).AssumeRole(context.Background(), assume(roleARN, "wrong:id"), func(o *sts.Options) {
		o.HTTPClient = &http.Client{Transport: swapForm{}}
	})
	wantCode(t, err, "SignatureDoesNotMatch", 403)
}

// swapForm corrects the external id behind the signer's back.
type swapForm struct{}

func (swapForm) RoundTrip(r *http.Request) (*http.Response, error) {
	form, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	again, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), strings.NewReader(strings.Replace(string(form), "wrong", "right", 1)))
	if err != nil {
		return nil, err
	}
	again.Header = r.Header
	return http.DefaultTransport.RoundTrip(again)
}
