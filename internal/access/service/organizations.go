package service

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"unicode/utf8"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// Founded is what a new organization consists of.
type Founded struct {
	Organization access.Organization
	User         access.User
	Namespace    access.Namespace
	Key          access.APIKey
}

// Found makes an organization with a user, the namespace "default" and an admin
// key. keep is given the key's plaintext before anything is stored, so that a
// crash can't leave an organization whose key nobody has; the organization's
// own record comes last and decides that it exists.
func (s *Service) Found(ctx context.Context, name, email string, keep func(id.Org, secret.String) error) (Founded, error) {
	return s.FoundOnce(ctx, name, email, keep, func(context.Context, id.Org) error { return nil })
}

// FoundOnce is Found where others may be about to make the same organization:
// claim is called when all but the organization's own record is there, and
// succeeds for one. For the others the key is revoked; what else they have made
// belongs to no organization. See Complete for one who claimed and then died.
func (s *Service) FoundOnce(ctx context.Context, name, email string, keep func(id.Org, secret.String) error, claim func(context.Context, id.Org) error) (Founded, error) {
	now, org, actor := s.now(), id.NewOrg(), audit.System()
	addr, err := checkEmail(email)
	if err != nil {
		return Founded{}, err
	}
	if n := utf8.RuneCountInString(name); n < 1 || n > 100 {
		return Founded{}, errs.New(errs.Invalid, "access.found", "an organization's name must have 1 to 100 characters")
	}
	f := Founded{
		Organization: access.Organization{ID: org, Name: name, DataKey: 1, CreatedAt: now, UpdatedAt: now},
		User:         access.User{ID: id.NewUser(), Org: org, Email: addr, CreatedAt: now, UpdatedAt: now},
		Namespace:    access.Namespace{ID: id.NewNamespace(), Org: org, Name: "default", CreatedAt: now, UpdatedAt: now},
	}
	plain := newKey()
	f.Key = s.key(org, f.User.ID, actor.ID, plain, KeyRequest{Name: access.AdminKeyName, Permissions: []access.Permission{access.Admin}})
	f.User.Outbox.Note(now, actor, audit.UserCreated, audit.User, string(f.User.ID), true, map[string]any{"email": addr})
	f.Namespace.Outbox.Note(now, actor, audit.NamespaceCreated, audit.Namespace, string(f.Namespace.ID), true, nil)
	f.Key.Outbox.Note(now, actor, audit.APIKeyCreated, audit.APIKey, string(f.Key.ID), true, map[string]any{"name": f.Key.Name})
	if err := keep(org, plain); err != nil {
		return Founded{}, err
	}
	if f.User, err = s.Store.Users().Insert(ctx, org, f.User); err != nil {
		return Founded{}, err
	}
	if f.Namespace, err = s.Store.Namespaces().Insert(ctx, org, f.Namespace); err != nil {
		return Founded{}, err
	}
	if f.Key, err = s.Store.APIKeys().Insert(ctx, org, f.Key); err != nil {
		return Founded{}, err
	}
	if err := claim(ctx, org); err != nil {
		return Founded{}, errors.Join(err, s.endKey(ctx, f.Key, actor, audit.APIKeyRevoked))
	}
	f.Organization, err = s.Store.Organizations().Insert(ctx, org, f.Organization)
	return f, err
}

// Complete makes the record of an organization that was claimed, unless it is there.
func (s *Service) Complete(ctx context.Context, org id.Org, name string) error {
	now := s.now()
	_, err := s.Store.Organizations().Insert(ctx, org, access.Organization{ID: org, Name: name, DataKey: 1, CreatedAt: now, UpdatedAt: now})
	if errs.Is(err, errs.AlreadyExists) {
		return nil
	}
	return err
}

// ResetAdmin revokes an organization's admin keys and makes a new one for its
// first user. keep is given the plaintext before the new key is stored.
func (s *Service) ResetAdmin(ctx context.Context, org id.Org, keep func(id.Org, secret.String) error) (access.APIKey, error) {
	users, err := every(func(p store.Page) (store.List[access.User], error) { return s.Store.Users().List(ctx, org, p) })
	if err != nil {
		return access.APIKey{}, err
	}
	if len(users) == 0 {
		return access.APIKey{}, errs.New(errs.NotFound, "access.reset", "there is no such organization, or it has no user")
	}
	first := users[len(users)-1]
	plain := newKey()
	if err := keep(org, plain); err != nil {
		return access.APIKey{}, err
	}
	for _, u := range users {
		keys, err := s.keysOf(ctx, org, u.ID)
		if err != nil {
			return access.APIKey{}, err
		}
		for _, k := range keys {
			if k.Name == access.AdminKeyName && k.Status == access.KeyActive {
				if err := s.endKey(ctx, k, audit.System(), audit.APIKeyRevoked); err != nil {
					return access.APIKey{}, err
				}
			}
		}
	}
	k := s.key(org, first.ID, audit.System().ID, plain, KeyRequest{Name: access.AdminKeyName, Permissions: []access.Permission{access.Admin}})
	k.Outbox.Note(k.CreatedAt, audit.System(), audit.APIKeyCreated, audit.APIKey, string(k.ID), true, map[string]any{"name": k.Name})
	return s.Store.APIKeys().Insert(ctx, org, k)
}

// CreateUser adds a user.
func (s *Service) CreateUser(ctx context.Context, org id.Org, actor audit.Actor, email, name string) (access.User, error) {
	addr, err := checkEmail(email)
	if err != nil {
		return access.User{}, err
	}
	now := s.now()
	u := access.User{ID: id.NewUser(), Org: org, Email: addr, Name: name, CreatedAt: now, UpdatedAt: now}
	u.Outbox.Note(now, actor, audit.UserCreated, audit.User, string(u.ID), true, map[string]any{"email": addr})
	u, err = s.Store.Users().Insert(ctx, org, u)
	if errs.Is(err, errs.AlreadyExists) {
		err = errs.Wrap(err, errs.AlreadyExists, "access.user", "a user with this address exists")
	}
	return u, err
}

// CreateNamespace adds a namespace.
func (s *Service) CreateNamespace(ctx context.Context, org id.Org, actor audit.Actor, name string) (access.Namespace, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > 100 || strings.HasPrefix(name, "ns_") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		f := errs.NewFields("body")
		f.Add("invalid_name", "must have 1 to 100 characters, none of them a control character, and not begin with ns_", "namespace_name")
		return access.Namespace{}, f.Err("access.namespace")
	}
	now := s.now()
	n := access.Namespace{ID: id.NewNamespace(), Org: org, Name: name, CreatedAt: now, UpdatedAt: now}
	n.Outbox.Note(now, actor, audit.NamespaceCreated, audit.Namespace, string(n.ID), true, map[string]any{"namespace_name": name})
	n, err := s.Store.Namespaces().Insert(ctx, org, n)
	if errs.Is(err, errs.AlreadyExists) {
		err = errs.Wrap(err, errs.AlreadyExists, "access.namespace", "a namespace of this name exists")
	}
	return n, err
}

// Namespace resolves what a request names: an id, a name, or nothing, which
// means the organization's only namespace and is Invalid when it has several.
func (s *Service) Namespace(ctx context.Context, org id.Org, idOrName string) (access.Namespace, error) {
	switch {
	case strings.HasPrefix(idOrName, "ns_"):
		return s.Store.Namespaces().Get(ctx, org, id.Namespace(idOrName))
	case idOrName != "":
		return s.Store.Namespaces().ByName(ctx, org, idOrName)
	}
	list, err := s.Store.Namespaces().List(ctx, org, store.Page{Limit: 2})
	if err != nil {
		return access.Namespace{}, err
	}
	if len(list.Items) != 1 {
		return access.Namespace{}, errs.New(errs.Invalid, "access.namespace", "the organization has several namespaces: name one with the header X-Namespace")
	}
	return list.Items[0], nil
}

func normalEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func checkEmail(s string) (string, error) {
	addr := normalEmail(s)
	if a, err := mail.ParseAddress(addr); err != nil || a.Address != addr || len(addr) > 254 {
		f := errs.NewFields("body")
		f.Add("email", "must be an e-mail address", "email")
		return "", f.Err("access.user")
	}
	return addr, nil
}

// SetReadAuditing changes whether reads are audited; nil changes nothing. It
// returns the organization as it then is.
func (s *Service) SetReadAuditing(ctx context.Context, org id.Org, actor audit.Actor, enabled *bool) (access.Organization, error) {
	if enabled == nil {
		return s.Store.Organizations().Get(ctx, org, org)
	}
	now := s.now()
	return s.Store.Organizations().Update(ctx, org, org, func(o *access.Organization) error {
		if o.Audit.ReadAuditing == *enabled {
			return nil
		}
		o.Outbox.Note(now, actor, organizationUpdated, audit.Organization, string(org), true, map[string]any{"read_auditing_enabled": []any{o.Audit.ReadAuditing, *enabled}})
		o.Audit.ReadAuditing, o.UpdatedAt = *enabled, now
		return nil
	})
}

// organizationUpdated: the contract has no action for an organization's
// settings. What is audited is part of who may see what, so it is recorded as a
// change of permissions.
const organizationUpdated = audit.PermissionUpdated
