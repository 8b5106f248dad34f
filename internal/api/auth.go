package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
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
	c.actor = c.who.Actor(c.clientIP(c.r), clip(c.r.UserAgent(), 500))
	noteWho(c.w, slog.Group("", slog.String("org", string(c.who.Org)), slog.String("key", string(c.who.Key.ID))))
	if wait := c.limits.wait(c.who.Key, c.Now()); wait > 0 {
		return &errs.Error{Kind: errs.Throttled, Op: "api.limit", RetryAfter: wait, Msg: "this key has used up its requests for now"}
	}
	if err := c.require(c.route.need); err != nil {
		return err
	}
	if c.route.namespace {
		return c.enterNamespace()
	}
	return nil
}

// require refuses a key that lacks a permission.
func (c *call) require(need access.Permission) error {
	if c.who.Allows(need) {
		return nil
	}
	return errs.New(errs.PermissionDenied, "api.auth", "this needs a key with the permission "+string(need))
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

// Resources as scopes name them: each is followed by what contains it.

func (c *call) ofOrganization() access.Resource {
	return access.Resource{{Type: audit.Organization, ID: string(c.org())}}
}

func (c *call) ofConnection(conn id.Connection) access.Resource {
	return append(access.Resource{{Type: audit.StorageConnection, ID: string(conn)}}, c.ofOrganization()...)
}

func (c *call) ofNamespace(ns id.Namespace) access.Resource {
	return append(access.Resource{{Type: audit.Namespace, ID: string(ns)}}, c.ofOrganization()...)
}

func (c *call) ofBucket(ns id.Namespace, b id.Bucket) access.Resource {
	return append(access.Resource{{Type: audit.Bucket, ID: string(b)}}, c.ofNamespace(ns)...)
}

// covers refuses what is done to a whole, such as creating in it, by a key
// whose scopes do not cover that whole.
func (c *call) covers(r access.Resource) error {
	if c.who.Reaches(c.route.need, r) {
		return nil
	}
	return errs.New(errs.PermissionDenied, "api.scope", "the scopes of this key do not cover this")
}

// limits holds a bucket of tokens for each key that has a limit, and counts the
// streams that each key has open.
type limits struct {
	mu      sync.Mutex
	keys    map[id.APIKey]*limiter
	streams map[id.APIKey]int
}

// maxStreams is how many event streams a key may have open at once.
const maxStreams = 16

// open admits one more stream of a key; done ends it.
func (l *limits) open(k id.APIKey) (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams == nil {
		l.streams = map[id.APIKey]int{}
	}
	if l.streams[k] >= maxStreams {
		return nil, &errs.Error{Kind: errs.Throttled, Op: "api.limit", RetryAfter: 5 * time.Second, Msg: "this key has 16 event streams open: end one first"}
	}
	l.streams[k]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.streams[k]--; l.streams[k] == 0 {
			delete(l.streams, k)
		}
	}, nil
}

type limiter struct {
	*rate.Limiter
	perMinute int
	used      time.Time
}

// limitersKept bounds the map: beyond it, those idle for a minute, which are
// full again, are forgotten.
const limitersKept = 10_000

// wait is how long a key has to wait before its next request; 0 admits it.
func (l *limits) wait(k access.APIKey, now time.Time) time.Duration {
	if k.RateLimit == nil {
		return 0
	}
	n := *k.RateLimit
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = map[id.APIKey]*limiter{}
	}
	lim := l.keys[k.ID]
	if lim == nil || lim.perMinute != n {
		if len(l.keys) >= limitersKept {
			l.forget(now)
		}
		lim = &limiter{Limiter: rate.NewLimiter(rate.Limit(float64(n)/60), n), perMinute: n}
		l.keys[k.ID] = lim
	}
	lim.used = now
	r := lim.ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if delay > 0 {
		r.CancelAt(now)
	}
	return delay
}

func (l *limits) forget(now time.Time) {
	for k, lim := range l.keys {
		if now.Sub(lim.used) > time.Minute {
			delete(l.keys, k)
		}
	}
}

// clip cuts a text to n bytes, at a character's boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
