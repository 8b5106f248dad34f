package service

import (
	"context"
	"crypto/subtle"
	"strings"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// Visitor is where a browser's request comes from.
type Visitor struct{ IP, UserAgent string }

// seenEvery is how often it is noted that a session is in use.
const seenEvery = 5 * time.Minute

var (
	errSession = errs.New(errs.Unauthenticated, "access.session", "the session has ended: sign in again")
	errLink    = errs.New(errs.Unauthenticated, "access.session", "this link is not valid any more: each can be used once, within ten minutes. Ask the operator for another one, or sign in with an API key")
)

// SignIn begins a session with an API key. The cookie's value is told this once.
// A key that is not valid is errs.Unauthenticated.
func (s *Service) SignIn(ctx context.Context, key secret.String, from Visitor) (access.Session, secret.String, error) {
	who, err := s.Authenticate(ctx, key)
	if err != nil {
		return access.Session{}, secret.String{}, err
	}
	now := s.now()
	if err := s.Store.Sessions().Sweep(ctx, who.Org, now); err != nil {
		return access.Session{}, secret.String{}, err
	}
	v := s.session(who.Key, now)
	cookie, hash := sessionToken(&v)
	begin(&v, who, hash, from, now)
	v, err = s.Store.Sessions().Insert(ctx, who.Org, v)
	return v, cookie, err
}

// Link makes a link's token with which somebody can sign in once, as the
// organization's admin key could. It is for the operator alone.
func (s *Service) Link(ctx context.Context, org id.Org) (secret.String, time.Time, error) {
	key, err := s.adminKey(ctx, org)
	if err != nil {
		return secret.String{}, time.Time{}, err
	}
	now := s.now()
	if err := s.Store.Sessions().Sweep(ctx, org, now); err != nil {
		return secret.String{}, time.Time{}, err
	}
	v := s.session(key, now)
	v.ExpiresAt = now.Add(access.LinkLife)
	token, hash := sessionToken(&v)
	v.Link = hash
	v.Outbox.Note(now, audit.System(), audit.SessionOffered, audit.APIKey, string(key.ID), true, map[string]any{"session": string(v.ID)})
	v, err = s.Store.Sessions().Insert(ctx, org, v)
	return token, v.ExpiresAt, err
}

// Follow begins a session with a link's token, which is then used up.
func (s *Service) Follow(ctx context.Context, token secret.String, from Visitor) (access.Session, secret.String, error) {
	v, err := s.Offered(ctx, token)
	if err != nil {
		return v, secret.String{}, err
	}
	who, err := s.owner(ctx, v)
	if err != nil {
		return v, secret.String{}, errLink
	}
	now := s.now()
	cookie, hash := sessionToken(&v)
	v, err = s.Store.Sessions().Update(ctx, v.Org, v.ID, func(v *access.Session) error {
		if v.Link == "" {
			return errLink
		}
		begin(v, who, hash, from, now)
		return nil
	})
	return v, cookie, err
}

// Offered finds what a link's token stands for and leaves it as it is, so that
// whoever looks at links in advance uses none up.
func (s *Service) Offered(ctx context.Context, token secret.String) (access.Session, error) {
	v, part, err := s.findSession(ctx, token)
	if err == nil && !matches(part, v.Link) {
		err = errLink
	}
	if errs.Is(err, errs.NotFound) {
		err = errLink
	}
	return v, err
}

// Session finds whose cookie this is. It ends with its key, whatever ends that.
func (s *Service) Session(ctx context.Context, cookie secret.String) (Principal, access.Session, error) {
	v, part, err := s.findSession(ctx, cookie)
	if errs.Is(err, errs.NotFound) || err == nil && !matches(part, v.Cookie) {
		return Principal{}, v, errSession
	}
	if err != nil {
		return Principal{}, v, err
	}
	who, err := s.owner(ctx, v)
	if err != nil {
		return Principal{}, v, err
	}
	now := s.now()
	if now.Sub(v.SeenAt) > seenEvery {
		seen, err := s.Store.Sessions().Update(ctx, v.Org, v.ID, func(v *access.Session) error {
			v.See(now)
			return nil
		})
		if err == nil { // a session works even when the note of its use can't be written
			v = seen
		}
	}
	s.used(ctx, who.Key, now)
	return who, v, nil
}

// Sessions lists those of an organization that have begun, newest first.
func (s *Service) Sessions(ctx context.Context, org id.Org) (out []access.Session, err error) {
	list, err := every(func(p store.Page) (store.List[access.Session], error) { return s.Store.Sessions().List(ctx, org, p) })
	now := s.now()
	for _, v := range list {
		if v.Cookie != "" && v.Live(now) {
			out = append(out, v)
		}
	}
	return out, err
}

// EndSession ends one; what is left of it is swept away later.
func (s *Service) EndSession(ctx context.Context, org id.Org, by audit.Actor, session id.Session) error {
	now := s.now()
	_, err := s.Store.Sessions().Update(ctx, org, session, func(v *access.Session) error {
		if v.Cookie == "" && v.Link == "" {
			return nil
		}
		v.Cookie, v.Link, v.ExpiresAt = "", "", now
		v.Outbox.Note(now, by, audit.SessionEnded, audit.APIKey, string(v.Key), true, map[string]any{"session": string(v.ID)})
		return nil
	})
	return err
}

func (s *Service) session(k access.APIKey, now time.Time) access.Session {
	return access.Session{ID: id.NewSession(), Org: k.Org, Key: k.ID, CreatedAt: now}
}

// begin turns v into a session that has begun.
func begin(v *access.Session, who Principal, cookie string, from Visitor, now time.Time) {
	v.Link, v.Cookie, v.CreatedAt, v.IP, v.Agent = "", cookie, now, from.IP, from.UserAgent
	v.See(now)
	v.Outbox.Note(now, who.Actor(from.IP, from.UserAgent), audit.SessionStarted, audit.APIKey, string(v.Key), true, map[string]any{"session": string(v.ID)})
}

// owner is the key of a session, if it still works.
func (s *Service) owner(ctx context.Context, v access.Session) (Principal, error) {
	k, err := s.Store.APIKeys().Get(ctx, v.Org, v.Key)
	if errs.Is(err, errs.NotFound) || err == nil && StatusOf(k, s.Now()) != access.KeyActive {
		err = errSession
	}
	return Principal{Org: v.Org, Key: k}, err
}

// adminKey is the organization's own.
func (s *Service) adminKey(ctx context.Context, org id.Org) (access.APIKey, error) {
	users, err := every(func(p store.Page) (store.List[access.User], error) { return s.Store.Users().List(ctx, org, p) })
	if err != nil {
		return access.APIKey{}, err
	}
	for _, u := range users {
		keys, err := s.keysOf(ctx, org, u.ID)
		if err != nil {
			return access.APIKey{}, err
		}
		for _, k := range keys {
			if k.Name == access.AdminKeyName && k.Status == access.KeyActive {
				return k, nil
			}
		}
	}
	return access.APIKey{}, errs.New(errs.Conflict, "access.session", "the organization has no admin key: mooring key reset-admin makes one")
}

// Tokens lead to a session: the organization, the session, and a secret of which
// only the hash is kept.
const (
	orgLead, sessionLead = "int_", "ses_"
	tokenSecret          = 37 // characters of [a-z0-9]: 191 bits
	tokenMost            = 200
)

func sessionToken(v *access.Session) (token secret.String, hashed string) {
	s := id.NewToken(tokenSecret)
	return secret.New(strings.TrimPrefix(string(v.Org), orgLead) + "-" + strings.TrimPrefix(string(v.ID), sessionLead) + "-" + s), hash(secret.New(s))
}

// findSession reads the session that a token leads to, if it has not expired.
func (s *Service) findSession(ctx context.Context, token secret.String) (v access.Session, part string, err error) {
	none := errs.New(errs.NotFound, "access.session", "no such session")
	text := token.Reveal()
	parts := strings.Split(text, "-")
	if len(text) > tokenMost || len(parts) != 3 || strings.Trim(strings.Join(parts, ""), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return v, "", none
	}
	v, err = s.Store.Sessions().Get(ctx, id.Org(orgLead+parts[0]), id.Session(sessionLead+parts[1]))
	if err == nil && !v.Live(s.Now()) {
		err = none
	}
	return v, parts[2], err
}

// matches compares a secret with a hash, in constant time; nothing matches "".
func matches(part, hashed string) bool {
	return hashed != "" && subtle.ConstantTimeCompare([]byte(hash(secret.New(part))), []byte(hashed)) == 1
}
