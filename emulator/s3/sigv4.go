package s3

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// amzTime is the layout of X-Amz-Date.
const amzTime = "20060102T150405Z"

// maxSkew is how far the signing time may be from the server's.
const maxSkew = 15 * time.Minute

// authorization is a SigV4 Authorization header, or what stands for it in the
// query of a presigned URL, taken apart.
type authorization struct {
	key       string
	region    string
	service   string
	signed    []string // names of the headers that are signed
	signature string
}

// parseAuthorization reads what a request is signed with. It checks no more than
// it needs to find the key and the region.
func parseAuthorization(r *http.Request, q url.Values) (authorization, bool) {
	if rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "); ok {
		var a authorization
		var scope string
		for field := range strings.SplitSeq(rest, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			switch name {
			case "Credential":
				scope = value
			case "SignedHeaders":
				a.signed = strings.Split(value, ";")
			case "Signature":
				a.signature = value
			}
		}
		return a, a.scope(scope)
	}
	var a authorization
	a.signature = q.Get("X-Amz-Signature")
	a.signed = strings.Split(q.Get("X-Amz-SignedHeaders"), ";")
	return a, a.signature != "" && a.scope(q.Get("X-Amz-Credential"))
}

// scope reads key/date/region/service/aws4_request. A key may hold slashes.
func (a *authorization) scope(s string) bool {
	parts := strings.Split(s, "/")
	n := len(parts)
	if n < 5 {
		return false
	}
	a.key = strings.Join(parts[:n-4], "/")
	a.region, a.service = parts[n-3], parts[n-2]
	return a.key != ""
}

// presentedKey is the access key id that a request names, "" where there is none.
func presentedKey(r *http.Request, q url.Values) string {
	a, _ := parseAuthorization(r, q)
	return a.key
}

// sessionToken is the session token that a request presents.
func sessionToken(r *http.Request, q url.Values) string {
	if t := r.Header.Get("X-Amz-Security-Token"); t != "" {
		return t
	}
	return q.Get("X-Amz-Security-Token")
}

// resigned signs the request again with the secret and says whether the signature
// is the one presented. The payload's hash is what the signature covers.
func (a authorization) resigned(r *http.Request, k AccessKey, payload string) bool {
	at, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	if err != nil || !slices.Contains(a.signed, "host") {
		return false
	}
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{}}
	u := *r.URL
	u.Host = r.Host
	again.URL = &u
	for _, name := range a.signed {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = a.service == "s3" })
	creds := aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.SessionToken}
	if err := signer.SignHTTP(context.Background(), creds, again, payload, a.service, a.region, at); err != nil {
		return false
	}
	want, ok := parseAuthorization(again, nil)
	return ok && subtle.ConstantTimeCompare([]byte(want.signature), []byte(a.signature)) == 1
}
