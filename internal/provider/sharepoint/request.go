package sharepoint

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

const (
	maxAnswer = 32 << 20 // of JSON: a page of 1000 items has 2 MB
	maxRefuse = 1 << 20  // of an error
)

// get asks Graph for a document. path begins with a slash and is escaped.
func (s *source) get(ctx context.Context, t target, path string, out any) error {
	return s.follow(ctx, t, s.base.String()+path, out)
}

// follow asks for a document by a whole address.
func (s *source) follow(ctx context.Context, t target, address string, out any) error {
	resp, err := s.ask(ctx, t, address)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return s.refused(t, resp)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return t.network(err)
	}
	if len(b) > maxAnswer || json.Unmarshal(b, out) != nil {
		return t.notGraph()
	}
	return nil
}

// refused reads an answer that is no success.
func (s *source) refused(t target, resp *http.Response) *errs.Error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefuse)) // its status alone says enough
	return t.answered(resp.StatusCode, resp.Header, b, s.now())
}

func (t target) notGraph() *errs.Error {
	return t.failure(errs.Corrupt, errs.ScopePath, "NotGraph", msgNotGraph)
}

// ask makes a request with an access token, and once more with a new one where
// that was refused.
func (s *source) ask(ctx context.Context, t target, address string) (*http.Response, error) {
	var refused secret.String
	for {
		token, err := s.tokens.Access(ctx, refused, s.exchange)
		if err != nil {
			return nil, s.noToken(ctx, t, err)
		}
		r, err := request(ctx, t, address)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		r.Header.Set("Accept", "application/json")
		resp, err := s.api.Do(r)
		if err != nil {
			return nil, t.network(err)
		}
		if resp.StatusCode != http.StatusUnauthorized || !refused.IsZero() {
			return resp, nil
		}
		_ = resp.Body.Close()
		refused = token
	}
}

// noToken is the error of a call that got no access token.
func (s *source) noToken(ctx context.Context, t target, err error) error {
	if cause := ctx.Err(); cause != nil && !errs.Is(err, errs.Unauthenticated) {
		return &errs.Error{Kind: errs.KindOf(cause), Origin: errs.Provider, Op: t.op, Msg: "the request was given up", Err: cause}
	}
	return err
}

// request makes a GET without credentials.
func request(ctx context.Context, t target, address string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil { // its text holds the address
		return nil, t.failure(errs.Corrupt, errs.ScopePath, "BadAddress", "the provider gave an address that is none")
	}
	r.Header.Set("User-Agent", userAgent)
	return r, nil
}

// own says whether a link that Graph gave leads to the API itself: no other host
// ever sees a token.
func (s *source) own(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Scheme == s.base.Scheme && strings.EqualFold(u.Host, s.base.Host) && u.User == nil
}

// escape makes a path of names fit for an address.
func escape(names []string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString("/" + url.PathEscape(n))
	}
	return b.String()
}
