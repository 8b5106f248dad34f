package s3

import (
	"net/http"

	"mooring/internal/errs"
	"mooring/internal/outbound"
)

// maxAnswer bounds an answer other than content, which the SDK reads whole: a
// page of a thousand of the longest keys, each character escaped, takes a tenth.
// That of STS is a session.
const (
	maxAnswer  = 64 << 20
	maxSession = 1 << 20
)

var errTooLarge = &errs.Error{Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopePath, Msg: "the answer is far larger than one of S3 or STS"}

// bounded bounds the answers of a client.
func bounded(c *http.Client, most int64) *http.Client {
	out := *c
	out.Transport = bounds{c.Transport, most}
	return &out
}

type bounds struct {
	next http.RoundTripper
	most int64
}

// RoundTrip implements http.RoundTripper.
func (b bounds) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if content := r.URL.RawQuery == contentQuery && resp.StatusCode < http.StatusMultipleChoices; !content {
		resp.Body = outbound.Limit(resp.Body, b.most, errTooLarge)
	}
	return resp, nil
}
