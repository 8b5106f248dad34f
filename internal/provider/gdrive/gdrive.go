// Package gdrive is the adapter for Google Drive, by its API version 3.
//
// An item's id is the file's id. A scope is the id of a folder, an absolute path
// of names like /A/B, the id of a shared drive, or "" (or "/") for the whole of
// the configured shared drive or, without one, of the account's My Drive. What
// has no folder that the account can see is in no scope.
//
// A whole drive is listed flat, folders first; a folder is walked. Both are
// followed by the drive's log of changes, which tells of more than the scope.
//
// Documents of Google's own editors are exported. A shortcut to a file is a file
// with the target's content; a shortcut to a folder outside of the scope puts
// that folder where the shortcut is. docs/providers/google-drive.md has the rules.
package gdrive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	drive "google.golang.org/api/drive/v3"
	"google.golang.org/api/option"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Where Google is.
const (
	apiBase  = "https://www.googleapis.com/drive/v3/"
	tokenURL = "https://oauth2.googleapis.com/token"
)

// source is an open connection.
type source struct {
	grantor grantor
	tokens  driver.Tokens
	api     *drive.Service
	base    *url.URL // of the API
	http    *http.Client
	now     func() time.Time
	shared  string // the shared drive that the connection is limited to, or ""
	budget  string
	formats map[string]string // export format by kind of document, as configured

	places  cache[place]
	folders cache[ancestor]
	who     cache[string]              // whose log of changes it is
	exports cache[map[string][]string] // what Google exports, by MIME type
	links   links
	muted   sync.Map // shared drives whose permissions the account may not read
}

var (
	_ driver.Source     = (*source)(nil)
	_ driver.Walker     = (*source)(nil)
	_ driver.Attributer = (*source)(nil)
	_ driver.Budgeter   = (*source)(nil)
)

// Open is the driver.Opener of Google Drive. No identity but the configured one
// is used, and no address from a key file. Endpoints are "api", the base of the
// API with its slash at the end, and "token".
func Open(ctx context.Context, c config.Config, o driver.Options) (driver.Source, error) {
	if o.Transport == nil || o.Tokens == nil {
		return nil, errs.New(errs.Internal, "gdrive.open", "no transport or no tokens were given")
	}
	s := &source{tokens: o.Tokens, now: o.Now, shared: c.Text("shared_drive_id"), links: links{all: map[string][]link{}}}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.formats, err = formatsOf(c); err != nil {
		return nil, err
	}
	base, token := apiBase, tokenURL
	if e := o.Endpoints["api"]; e != "" {
		base = strings.TrimSuffix(e, "/") + "/"
	}
	if e := o.Endpoints["token"]; e != "" {
		token = e
	}
	if s.base, err = url.Parse(base); err != nil || s.base.Host == "" {
		return nil, invalid("the endpoint of the API is not a URL")
	}
	client := o.Transport.Client(false)
	if s.grantor, err = grantorOf(c, token, client, s.now); err != nil {
		return nil, err
	}
	s.budget = budgetOf(c)
	bounded := *client
	bounded.Transport = bounds{client.Transport}
	s.http = &bounded
	// The service adds no credentials: a bearer that a transport sets would
	// follow redirects.
	s.api, err = drive.NewService(ctx, option.WithHTTPClient(s.http), option.WithEndpoint(base))
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "gdrive.open", "the client of the API could not be made")
	}
	return s, nil
}

// budgetOf names whom Google throttles together: a project, which is what a
// service account or an OAuth client belongs to.
func budgetOf(c config.Config) string {
	proof := c.Secrets["private_key"]
	if c.Credential == "oauth" {
		proof = c.Secrets["client_secret"]
	}
	sum := sha256.Sum256([]byte(proof.Reveal()))
	return strings.Join([]string{c.Credential, c.Text("project_id"), c.Text("client_id"), hex.EncodeToString(sum[:])}, "/")
}

// Budget implements driver.Budgeter.
func (s *source) Budget() string { return s.budget }

// Close implements driver.Source.
func (s *source) Close() error { return nil }

func invalid(msg string) error {
	return &errs.Error{Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "gdrive.open", Msg: msg}
}
