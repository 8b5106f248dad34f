package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/surface"
)

// call is one request on its way.
type call struct {
	*server
	w     http.ResponseWriter
	r     *http.Request
	route *route

	who   accessservice.Principal
	actor audit.Actor
	ns    access.Namespace // where the route works in one
	read  access.Ref       // what was read, for read auditing
}

func (c *call) ctx() context.Context { return c.r.Context() }

// org is the caller's organization.
func (c *call) org() id.Org { return c.who.Org }

// user is on whose behalf the key acts.
func (c *call) user() id.User { return c.who.Key.User }

var errAuth = errs.New(errs.Unauthenticated, "api.auth", "an API key is needed: send it as Authorization: Bearer KEY")

// bearer reads the key. The contract's client repeats the header; values that
// differ are refused.
func bearer(h http.Header) (secret.String, error) {
	found := ""
	for _, line := range h.Values("Authorization") {
		for value := range strings.SplitSeq(line, ",") {
			scheme, key, _ := strings.Cut(strings.TrimSpace(value), " ")
			key = strings.TrimSpace(key)
			if !strings.EqualFold(scheme, "Bearer") || key == "" || strings.ContainsAny(key, " \t") || found != "" && key != found {
				return secret.String{}, errAuth
			}
			found = key
		}
	}
	if found == "" {
		return secret.String{}, errAuth
	}
	return secret.New(found), nil
}

// admit finds out who asks and whether they may use the route at all. What the
// key's scopes say is decided where the resource is known.
func (c *call) admit() error {
	key, err := bearer(c.r.Header)
	if err != nil {
		return err
	}
	if c.who, err = c.Access.Authenticate(c.ctx(), key); err != nil {
		if errs.Is(err, errs.Unauthenticated) {
			err = c.unknownKey(err)
		}
		return err
	}
	c.actor = c.who.Actor(c.clientIP(), surface.Clip(c.r.UserAgent(), surface.MaxUserAgent))
	surface.Of(c.w).Who = slog.Group("", slog.String("org", string(c.who.Org)), slog.String("key", string(c.who.Key.ID)))
	if err := c.Guard.Admit(c.who.Key, c.Now()); err != nil {
		return err
	}
	if err := surface.Require(c.who, c.route.need); err != nil {
		return err
	}
	if c.route.namespace {
		return c.enterNamespace()
	}
	return nil
}

func (c *call) enterNamespace() (err error) {
	name := ""
	for _, v := range c.r.Header.Values("X-Namespace") {
		if name != "" && v != name {
			return errs.New(errs.Invalid, "api.namespace", "the header X-Namespace is given twice, with different values")
		}
		name = v
	}
	c.ns, err = c.Access.Namespace(c.ctx(), c.org(), name)
	return err
}

// reach finds what the key may use the route on.
func (c *call) reach() surface.Reach {
	return surface.Reach{Who: c.who, Need: c.route.need, Connections: c.Connections, Buckets: c.Buckets, Syncs: c.Syncs}
}

// covers refuses what is done to a whole, such as creating in it, by a key
// whose scopes do not cover that whole.
func (c *call) covers(whole access.Resource) error { return c.reach().Covers(whole) }

// clientIP is where the request comes from.
func (c *call) clientIP() string { return surface.ClientIP(c.r, c.TrustedProxies) }

// unknownKey answers an attempt with a key that nobody has.
func (c *call) unknownKey(err error) error {
	log, attempts, slow := c.Guard.Guessed(c.clientIP(), c.Now())
	if log {
		c.Log.Warn("requests with an API key that is not valid", "request_id", surface.Of(c.w).ID, "ip", c.clientIP(), "attempts", attempts)
	}
	return cmp.Or(slow, err)
}
