// Package client calls the API of a Mooring server, for the command line. It
// works on decoded JSON rather than on types of its own: what the server sends
// is what --json prints.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

// Client is for one server and key. It is safe for concurrent use.
type Client struct {
	Base      string // scheme://host:port
	Key       secret.String
	Namespace string // id or name; "" where the organization has only one
	HTTP      *http.Client
}

// Object is a decoded JSON object. Numbers are json.Number.
type Object = map[string]any

// New makes a client that follows no redirect: the key would go with it.
func New(base string, key secret.String, namespace string) *Client {
	return &Client{Base: base, Key: key, Namespace: namespace, HTTP: &http.Client{
		Timeout:       0, // a context ends a call; downloads and event streams are long
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Path joins escaped segments: names may hold anything.
func Path(segments ...string) string {
	p := ""
	for _, s := range segments {
		p += "/" + url.PathEscape(s)
	}
	return p
}

// Do sends a request and decodes the answer, which may be empty.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body any) (Object, error) {
	res, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out := Object{}
	dec := json.NewDecoder(res.Body)
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil && err != io.EOF {
		return nil, errs.Wrap(err, errs.Unavailable, "client", "the server's answer is not JSON: is "+c.Base+" a Mooring server?")
	}
	return out, nil
}

// Stream sends a request and returns the body, which the caller closes.
func (c *Client) Stream(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	res, err := c.send(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "client", "the request can't be written as JSON")
		}
		payload = bytes.NewReader(raw)
	}
	target := c.Base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, payload)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "client", "the server's address is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+c.Key.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Namespace != "" {
		req.Header.Set("X-Namespace", c.Namespace)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errs.New(errs.Unavailable, "client", "no answer from "+c.Base+" ("+reason(err)+"): start one with mooring serve, or name another with --url")
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		return nil, failure(res)
	}
	return res, nil
}

// reason is why there was no answer, without the request that an *url.Error repeats.
func reason(err error) string {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return err.Error()
}

// failure makes an error of an answer, classified by details.kind or status.
func failure(res *http.Response) error {
	var body struct {
		Error struct {
			Message string         `json:"message"`
			Details map[string]any `json:"details"`
		} `json:"error"`
		Detail []struct {
			Loc  []any  `json:"loc"`
			Msg  string `json:"msg"`
			Type string `json:"type"`
		} `json:"detail"`
	}
	_ = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&body)
	e := &errs.Error{Kind: kinds[res.StatusCode], Msg: body.Error.Message}
	if e.Msg == "" {
		e.Msg = "the server answered " + res.Status
	}
	if k, ok := body.Error.Details["kind"].(string); ok {
		e.Kind = errs.ParseKind(k)
	}
	for _, d := range body.Detail {
		e.Fields = append(e.Fields, errs.Field{Loc: d.Loc, Msg: d.Msg, Type: d.Type})
	}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	return e
}

var kinds = map[int]errs.Kind{
	400: errs.Invalid, 401: errs.Unauthenticated, 403: errs.PermissionDenied, 404: errs.NotFound, 409: errs.Conflict,
	413: errs.Invalid, 422: errs.Invalid, 429: errs.Throttled, 502: errs.Unavailable, 503: errs.Unavailable, 504: errs.Unavailable,
}
