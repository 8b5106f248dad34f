// Package sharepoint is the adapter for document libraries of SharePoint and
// OneDrive for Business, by REST on Microsoft Graph v1.0.
//
// # Ids
//
// An item's id is "drive/item", both as Graph gives them, so that one connection
// reads any number of libraries.
//
// # Scopes
//
// A path is resolved to a library and a folder in it when a source first uses it,
// in at most four requests. It is one of
//
//	""                                  the configured library and folder_path
//	/A/B                                a folder of the configured library, from its root
//	/sites/<site>/<library>/<folder>    also /teams/…; without a library the default one
//	<item id> or <drive id>/<item id>   a folder, wherever it is moved
//
// # Feed
//
// Enumeration and feed are the delta of the library's root; Graph's delta of a
// folder was not to be had everywhere and loses moves. So pages tell of the whole
// library, and the index of folders above this package decides what is inside.
// What a cursor holds is Graph's own link, the library, the folder and a digest of
// who asks. A lost cursor (410) is errs.CursorExpired.
//
// # Versions
//
// A file's version is its quickXorHash and size; where there is no hash, its eTag
// (else its cTag) and size. It is the same in deltas, listings and single answers,
// of which deltas lack the cTag, and it has no time in it. With a hash it survives
// new names, moves, sharing and enumerations anew; without one a new name is a new
// version, since an eTag is of the metadata too.
package sharepoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider/driver"
)

const (
	apiBase   = "https://graph.microsoft.com/v1.0"
	loginBase = "https://login.microsoftonline.com"

	// userAgent is decorated as SharePoint asks for: it is throttled later then.
	userAgent = "NONISV|Mooring|Mooring/1.0"

	// pageSize is how many items are asked for at once: a page costs the same
	// whatever its size.
	pageSize = 1000
)

// source is an open connection.
type source struct {
	account
	base   *url.URL     // of the API, without a slash at its end
	api    *http.Client // for requests with a token: follows no redirect
	files  *http.Client // for pre-authenticated addresses: never sees a token
	tokens driver.Tokens
	page   int

	site, drive, folder string // configured, "" when not

	mu     sync.Mutex
	places map[string]place // by scope path
	hosts  string           // the tenant's SharePoint host, once known
}

var (
	_ driver.Source     = (*source)(nil)
	_ driver.Attributer = (*source)(nil)
	_ driver.Walker     = (*source)(nil)
	_ driver.Budgeter   = (*source)(nil)
)

// Open is the driver.Opener of the provider sharepoint.
func Open(_ context.Context, c config.Config, o driver.Options) (driver.Source, error) {
	return open(c, o, pageSize)
}

func open(c config.Config, o driver.Options, page int) (driver.Source, error) {
	if o.Transport == nil || o.Tokens == nil {
		return nil, errs.New(errs.Internal, "sharepoint.open", "no transport or no tokens were given")
	}
	base, err := endpoint(o.Endpoints["api"], apiBase)
	if err != nil {
		return nil, err
	}
	login, err := endpoint(o.Endpoints["token"], loginBase)
	if err != nil {
		return nil, err
	}
	s := &source{
		base: base, files: o.Transport.Client(false), api: outbound.NoRedirects(o.Transport.Client(false)),
		tokens: o.Tokens, page: page, places: map[string]place{},
		site: c.Text("site_id"), drive: c.Text("drive_id"), folder: c.Text("folder_path"),
	}
	if s.account, err = accountOf(c, login, base.Hostname()); err != nil {
		return nil, err
	}
	s.client, s.now = s.api, o.Now
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// endpoint reads the base of a service, which an operator may have replaced.
func endpoint(given, standard string) (*url.URL, error) {
	if given == "" {
		given = standard
	}
	u, err := url.Parse(strings.TrimRight(given, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, invalid("the endpoint is not a URL such as https://graph.microsoft.com/v1.0")
	}
	return u, nil
}

// Budget implements driver.Budgeter: Graph throttles an application in a tenant,
// whatever site it reads.
func (s *source) Budget() string {
	proof := sha256.Sum256([]byte(s.secret.Reveal()))
	return s.tenant + "\x00" + s.clientID + "\x00" + hex.EncodeToString(proof[:])
}

// configured says whether the configuration names a library, if only by being a
// user's own.
func (s *source) configured() bool { return s.site != "" || s.drive != "" || s.delegated }

// Close implements driver.Source.
func (s *source) Close() error { return nil }

func invalid(msg string) error {
	return &errs.Error{Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "sharepoint.open", Msg: msg}
}
