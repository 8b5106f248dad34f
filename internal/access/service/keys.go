package service

import (
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// KeyRequest is what a key is made of.
type KeyRequest struct {
	Name        string
	Description string
	Permissions []access.Permission // empty: read
	Scopes      []access.Scope
	RateLimit   *int // requests per minute
	ExpiresAt   *time.Time
}

// KeyChange is a partial update; nil leaves a field as it is.
type KeyChange struct {
	Name        *string
	Description *string
	Permissions *[]access.Permission
	Scopes      *[]access.Scope
	RateLimit   *int
	ExpiresAt   *time.Time
	ClearExpiry bool
	Status      *string
}

// reserved refuses the name of the operator's own key, which nobody but the
// operator could then change or revoke.
func reserved(name string) error {
	if name != access.AdminKeyName {
		return nil
	}
	f := errs.NewFields("body")
	f.Add("value_error", "the name "+access.AdminKeyName+" is that of the operator's own key: choose another", "name")
	return f.Err("access.key")
}

func (r KeyRequest) check(by *Principal, now time.Time) error {
	f := errs.NewFields("body")
	if n := utf8.RuneCountInString(r.Name); n < 1 || n > 100 {
		f.Add("string_length", "must have 1 to 100 characters", "name")
	}
	if utf8.RuneCountInString(r.Description) > 500 {
		f.Add("string_too_long", "must have at most 500 characters", "description")
	}
	for i, p := range r.Permissions {
		if !p.Valid() {
			f.Add("enum", "must be one of read, write, delete, admin", "permissions", i)
		}
	}
	for i, s := range r.Scopes {
		if n := utf8.RuneCountInString(s.ResourceID); n < 1 || n > 100 {
			f.Add("string_length", "must have 1 to 100 characters", "scopes", i, "resource_id")
		}
	}
	if r.RateLimit != nil && *r.RateLimit < 1 {
		f.Add("greater_than_equal", "must be at least 1", "rate_limit_override")
	}
	if r.ExpiresAt != nil && !r.ExpiresAt.After(now) {
		f.Add("in_the_future", "must be in the future", "expires_at")
	}
	if err := f.Err("access.key"); err != nil {
		return err
	}
	if by != nil && !access.NotBeyond(by.Key, r.Permissions, r.Scopes) {
		return errs.New(errs.PermissionDenied, "access.key", "a key can't be given more permissions or a wider scope than the key that makes it")
	}
	return nil
}

// CreateKey makes a key for a user and returns its plaintext, which is shown
// this once. by is nil for the operator's own commands.
func (s *Service) CreateKey(ctx context.Context, org id.Org, by *Principal, actor audit.Actor, email string, r KeyRequest) (access.APIKey, secret.String, error) {
	if len(r.Permissions) == 0 {
		r.Permissions = []access.Permission{access.Read}
	}
	for _, err := range []error{reserved(r.Name), r.check(by, s.now())} {
		if err != nil {
			return access.APIKey{}, secret.String{}, err
		}
	}
	u, err := s.Store.Users().ByEmail(ctx, org, normalEmail(email))
	if err != nil {
		return access.APIKey{}, secret.String{}, err
	}
	plain := newKey()
	k := s.key(org, u.ID, actor.ID, plain, r)
	k.Outbox.Note(k.CreatedAt, actor, audit.APIKeyCreated, audit.APIKey, string(k.ID), true, map[string]any{"name": k.Name, "user": u.Email})
	k, err = s.Store.APIKeys().Insert(ctx, org, k)
	if errs.Is(err, errs.AlreadyExists) {
		err = errs.Wrap(err, errs.AlreadyExists, "access.key", "this user has a key of that name: revoke it first or choose another name")
	}
	return k, plain, err
}

func (s *Service) key(org id.Org, user id.User, by string, plain secret.String, r KeyRequest) access.APIKey {
	now := s.now()
	return access.APIKey{
		ID: id.NewAPIKey(), Org: org, User: user, Hash: hash(plain), Prefix: plain.Reveal()[:10],
		Name: r.Name, Description: r.Description, Permissions: r.Permissions, Scopes: r.Scopes, RateLimit: r.RateLimit,
		Status: access.KeyActive, ExpiresAt: r.ExpiresAt, CreatedAt: now, UpdatedAt: now, CreatedBy: by,
	}
}

// Keys lists a user's keys, newest first.
func (s *Service) Keys(ctx context.Context, org id.Org, email string, revoked bool) ([]access.APIKey, error) {
	u, err := s.Store.Users().ByEmail(ctx, org, normalEmail(email))
	if err != nil {
		return nil, err
	}
	keys, err := s.keysOf(ctx, org, u.ID)
	return slices.DeleteFunc(keys, func(k access.APIKey) bool { return !revoked && k.Status == access.KeyRevoked }), err
}

// keysOf lists all keys of a user, newest first. Revoked ones stay, so that the
// oldest, which is often the strongest, may be far down.
func (s *Service) keysOf(ctx context.Context, org id.Org, user id.User) ([]access.APIKey, error) {
	return every(func(p store.Page) (store.List[access.APIKey], error) {
		return s.Store.APIKeys().List(ctx, org, user, p)
	})
}

// every reads a list to its end.
func every[T any](list func(store.Page) (store.List[T], error)) (all []T, err error) {
	for p := (store.Page{Limit: 1000}); ; {
		part, err := list(p)
		if err != nil {
			return nil, err
		}
		all = append(all, part.Items...)
		if p.Cursor = part.Next; p.Cursor == "" {
			return all, nil
		}
	}
}

// find returns the user's live key of that name.
func (s *Service) find(ctx context.Context, org id.Org, email, name string) (access.APIKey, error) {
	keys, err := s.Keys(ctx, org, email, false)
	if err != nil {
		return access.APIKey{}, err
	}
	for _, k := range keys {
		if k.Name == name || string(k.ID) == name {
			return k, nil
		}
	}
	return access.APIKey{}, errs.New(errs.NotFound, "access.key", "this user has no key of that name")
}

func unprotected(k access.APIKey) error {
	if k.Name == access.AdminKeyName {
		return errs.New(errs.PermissionDenied, "access.key", "the key "+access.AdminKeyName+" can't be changed over the API: the operator does so with mooring key reset-admin")
	}
	return nil
}

// UpdateKey changes a key.
func (s *Service) UpdateKey(ctx context.Context, by Principal, actor audit.Actor, email, name string, c KeyChange) (access.APIKey, error) {
	k, err := s.find(ctx, by.Org, email, name)
	if err != nil {
		return k, err
	}
	if err := unprotected(k); err != nil {
		return k, err
	}
	return s.Store.APIKeys().Update(ctx, by.Org, k.ID, func(k *access.APIKey) error { return s.change(k, &by, actor, c) })
}

func (s *Service) change(k *access.APIKey, by *Principal, actor audit.Actor, c KeyChange) error {
	changed := map[string]any{}
	set := func(field string, v any) { changed[field] = v }
	if err := unprotected(*k); err != nil {
		return err
	}
	if c.Name != nil {
		if err := reserved(*c.Name); err != nil {
			return err
		}
		k.Name = *c.Name
		set("name", k.Name)
	}
	if c.Description != nil {
		k.Description = *c.Description
		set("description", k.Description)
	}
	if c.Permissions != nil {
		k.Permissions = *c.Permissions
		set("permissions", k.Permissions)
	}
	if c.Scopes != nil {
		k.Scopes = *c.Scopes
		set("scopes", k.Scopes)
	}
	if c.RateLimit != nil {
		k.RateLimit = c.RateLimit
		set("rate_limit_override", *c.RateLimit)
	}
	if c.ExpiresAt != nil || c.ClearExpiry {
		k.ExpiresAt = c.ExpiresAt
		set("expires_at", c.ExpiresAt)
	}
	check := KeyRequest{Name: k.Name, Description: k.Description, Permissions: k.Permissions, Scopes: k.Scopes, RateLimit: k.RateLimit, ExpiresAt: c.ExpiresAt}
	if err := check.check(by, s.now()); err != nil {
		return err
	}
	action := audit.PermissionUpdated
	if c.Status != nil {
		switch *c.Status {
		case access.KeyRevoked:
			s.revoke(k, actor)
			action = audit.APIKeyRevoked
		case access.KeyActive:
		default:
			return errs.New(errs.Invalid, "access.key", "status can be set to revoked only")
		}
		set("status", k.Status)
	}
	if c.Scopes != nil {
		action = audit.APIKeyScope
	}
	if len(changed) > 0 {
		k.UpdatedAt = s.now()
		k.Outbox.Note(k.UpdatedAt, actor, action, audit.APIKey, string(k.ID), true, changed)
	}
	return nil
}

func (s *Service) revoke(k *access.APIKey, actor audit.Actor) {
	now := s.now()
	k.Status, k.RevokedAt, k.RevokedBy, k.UpdatedAt = access.KeyRevoked, &now, actor.ID, now
}

// RevokeKey ends a key at once.
func (s *Service) RevokeKey(ctx context.Context, by Principal, actor audit.Actor, email, name string) error {
	k, err := s.find(ctx, by.Org, email, name)
	if err != nil {
		return err
	}
	if err := unprotected(k); err != nil {
		return err
	}
	return s.endKey(ctx, k, actor, audit.APIKeyRevoked)
}

func (s *Service) endKey(ctx context.Context, k access.APIKey, actor audit.Actor, action string) error {
	_, err := s.Store.APIKeys().Update(ctx, k.Org, k.ID, func(k *access.APIKey) error {
		if k.Status != access.KeyRevoked {
			s.revoke(k, actor)
			k.Outbox.Note(k.UpdatedAt, actor, action, audit.APIKey, string(k.ID), true, nil)
		}
		return nil
	})
	return err
}

// RotateKey replaces a key by one of the same name and rights. The old one has
// stopped working before the new one is told to anybody.
func (s *Service) RotateKey(ctx context.Context, by Principal, actor audit.Actor, email, name string) (access.APIKey, secret.String, error) {
	old, err := s.find(ctx, by.Org, email, name)
	if err == nil {
		err = unprotected(old)
	}
	if err == nil && !access.NotBeyond(by.Key, old.Permissions, old.Scopes) {
		err = errs.New(errs.PermissionDenied, "access.key", "a key with more permissions can't be rotated by this one")
	}
	if err != nil {
		return old, secret.String{}, err
	}
	return s.replace(ctx, old, actor)
}

// replace stores the new key before it ends the old one, so that no failure
// leaves the user with neither. Until then the new one is named by its id, since
// the name is taken.
func (s *Service) replace(ctx context.Context, old access.APIKey, actor audit.Actor) (access.APIKey, secret.String, error) {
	plain := newKey()
	k := s.key(old.Org, old.User, actor.ID, plain, KeyRequest{
		Name: old.Name, Description: old.Description, Permissions: old.Permissions, Scopes: old.Scopes, RateLimit: old.RateLimit, ExpiresAt: old.ExpiresAt,
	})
	k.Outbox.Note(k.CreatedAt, actor, audit.APIKeyCreated, audit.APIKey, string(k.ID), true, map[string]any{"name": k.Name, "replaces": string(old.ID)})
	k.Name = string(k.ID)
	k, err := s.Store.APIKeys().Insert(ctx, old.Org, k)
	if err != nil {
		return old, secret.String{}, err
	}
	if err := s.endKey(ctx, old, actor, audit.APIKeyRotated); err != nil {
		return old, secret.String{}, errors.Join(err, s.endKey(context.WithoutCancel(ctx), k, actor, audit.APIKeyRevoked))
	}
	renamed, err := s.Store.APIKeys().Update(context.WithoutCancel(ctx), old.Org, k.ID, func(k *access.APIKey) error {
		k.Name = old.Name
		return nil
	})
	if err != nil { // a key by another name is better than none
		return k, plain, nil //nolint:nilerr // see above
	}
	return renamed, plain, nil
}
