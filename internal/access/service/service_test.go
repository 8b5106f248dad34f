package service_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/access/service"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
)

type fixture struct {
	*service.Service
	now   time.Time
	org   id.Org
	admin secret.String
	who   service.Principal
}

const email = "admin@example.com"

func setUp(t *testing.T) *fixture {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	f.Service = &service.Service{Store: s, System: s.System(), Now: func() time.Time { return f.now }}
	founded, err := f.Found(t.Context(), "Example", " Admin@Example.com ", func(o id.Org, k secret.String) error {
		f.org, f.admin = o, k
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if founded.User.Email != email || founded.Namespace.Name != "default" {
		t.Fatalf("founded %+v", founded)
	}
	if f.who, err = f.Authenticate(t.Context(), f.admin); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) actor() audit.Actor { return f.who.Actor("", "") }

func (f *fixture) newKey(t *testing.T, r service.KeyRequest) (access.APIKey, secret.String) {
	t.Helper()
	k, plain, err := f.CreateKey(t.Context(), f.org, &f.who, f.actor(), email, r)
	if err != nil {
		t.Fatal(err)
	}
	return k, plain
}

func TestOnlyCurrentKeysAuthenticate(t *testing.T) {
	f := setUp(t)
	later := f.now.Add(time.Hour)
	_, plain := f.newKey(t, service.KeyRequest{Name: "reader", ExpiresAt: &later})
	p, err := f.Authenticate(t.Context(), plain)
	if err != nil || p.Org != f.org || !p.Allows(access.Read) || p.Allows(access.Write) {
		t.Fatalf("a new key gives %+v, %v", p, err)
	}
	f.now = later
	if _, err := f.Authenticate(t.Context(), plain); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("an expired key: %v", err)
	}
	for _, wrong := range []string{"", "moor_", "moor_unknown", plain.Reveal()[1:], plain.Reveal() + "x"} {
		if _, err := f.Authenticate(t.Context(), secret.New(wrong)); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestARevokedKeyEndsAndFreesItsName(t *testing.T) {
	f := setUp(t)
	_, plain := f.newKey(t, service.KeyRequest{Name: "robot"})
	if _, _, err := f.CreateKey(t.Context(), f.org, &f.who, f.actor(), email, service.KeyRequest{Name: "robot"}); !errs.Is(err, errs.AlreadyExists) {
		t.Errorf("a taken name: %v", err)
	}
	if err := f.RevokeKey(t.Context(), f.who, f.actor(), email, "robot"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Authenticate(t.Context(), plain); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a revoked key: %v", err)
	}
	f.newKey(t, service.KeyRequest{Name: "robot"})
	all, err := f.Keys(t.Context(), f.org, email, true)
	if err != nil || len(all) != 3 {
		t.Errorf("%d keys with revoked ones, %v", len(all), err)
	}
}

func TestRotationReplacesAKey(t *testing.T) {
	f := setUp(t)
	old, before := f.newKey(t, service.KeyRequest{Name: "robot", Permissions: []access.Permission{access.Write}})
	k, after, err := f.RotateKey(t.Context(), f.who, f.actor(), email, "robot")
	if err != nil || k.ID == old.ID || k.Name != "robot" {
		t.Fatalf("rotated to %+v, %v", k, err)
	}
	if _, err := f.Authenticate(t.Context(), before); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("the old key: %v", err)
	}
	if p, err := f.Authenticate(t.Context(), after); err != nil || !p.Allows(access.Write) || p.Allows(access.Delete) {
		t.Errorf("the new key: %+v, %v", p, err)
	}
}

// full is a store whose disk has no room for another key, or for ending one.
type full struct {
	store.Store
	insert, update error
}

type fullKeys struct {
	store.APIKeys
	full
}

func (f full) APIKeys() store.APIKeys { return fullKeys{f.Store.APIKeys(), f} }

func (f fullKeys) Insert(ctx context.Context, org id.Org, k access.APIKey) (access.APIKey, error) {
	if f.insert != nil {
		return k, f.insert
	}
	return f.APIKeys.Insert(ctx, org, k)
}

func (f fullKeys) Update(ctx context.Context, org id.Org, k id.APIKey, change func(*access.APIKey) error) (access.APIKey, error) {
	if f.update != nil {
		return access.APIKey{}, f.update
	}
	return f.APIKeys.Update(ctx, org, k, change)
}

// A rotation that fails leaves the key that is in use.
func TestAFailedRotationLeavesTheOldKey(t *testing.T) {
	f := setUp(t)
	_, before, err := f.CreateKey(t.Context(), f.org, &f.who, f.actor(), email, service.KeyRequest{Name: "robot"})
	if err != nil {
		t.Fatal(err)
	}
	whole := f.Store
	disk := errors.New("the disk is full")
	for _, broken := range []full{{whole, disk, nil}, {whole, nil, disk}} {
		f.Store = broken
		_, plain, err := f.RotateKey(t.Context(), f.who, f.actor(), email, "robot")
		f.Store = whole
		if !errors.Is(err, disk) || plain.Reveal() != "" {
			t.Errorf("rotated with %v", err)
		}
		if _, err := f.Authenticate(t.Context(), before); err != nil {
			t.Errorf("the old key: %v", err)
		}
	}
	if k, _, err := f.RotateKey(t.Context(), f.who, f.actor(), email, "robot"); err != nil || k.Name != "robot" {
		t.Errorf("afterwards: %+v, %v", k, err)
	}
}

func TestTheAdminKeyIsTheOperators(t *testing.T) {
	f := setUp(t)
	name := "x"
	_, err := f.UpdateKey(t.Context(), f.who, f.actor(), email, access.AdminKeyName, service.KeyChange{Name: &name})
	if !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("update: %v", err)
	}
	if err := f.RevokeKey(t.Context(), f.who, f.actor(), email, access.AdminKeyName); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("revoke: %v", err)
	}
	var replaced secret.String
	if _, err := f.ResetAdmin(t.Context(), f.org, func(_ id.Org, k secret.String) error { replaced = k; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Authenticate(t.Context(), f.admin); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("the old admin key: %v", err)
	}
	if p, err := f.Authenticate(t.Context(), replaced); err != nil || !p.Allows(access.Admin) {
		t.Errorf("the new admin key: %v", err)
	}
}

// TestTheAdminKeysNameIsReserved: a key of that name could not be revoked over
// the API.
func TestTheAdminKeysNameIsReserved(t *testing.T) {
	f := setUp(t)
	other, err := f.CreateUser(t.Context(), f.org, f.actor(), "other@example.com", "")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = f.CreateKey(t.Context(), f.org, &f.who, f.actor(), other.Email, service.KeyRequest{Name: access.AdminKeyName})
	if !errs.Is(err, errs.Invalid) {
		t.Errorf("create: %v", err)
	}
	f.newKey(t, service.KeyRequest{Name: "robot"})
	name := access.AdminKeyName
	if _, err := f.UpdateKey(t.Context(), f.who, f.actor(), email, "robot", service.KeyChange{Name: &name}); !errs.Is(err, errs.Invalid) {
		t.Errorf("rename: %v", err)
	}
}

// TestNoKeyIsLostBehindRevokedOnes: the admin key is a user's oldest.
func TestNoKeyIsLostBehindRevokedOnes(t *testing.T) {
	f := setUp(t)
	var inserts sync.WaitGroup // at once, so that they share commits
	for i := range 1001 {
		inserts.Go(func() {
			at := f.now.Add(time.Duration(i+1) * time.Second)
			k := access.APIKey{ID: id.NewAPIKey(), Org: f.org, User: f.who.Key.User, Hash: strconv.Itoa(i), Name: "k", Status: access.KeyRevoked, CreatedAt: at, UpdatedAt: at}
			if _, err := f.Store.APIKeys().Insert(t.Context(), f.org, k); err != nil {
				t.Error(err)
			}
		})
	}
	inserts.Wait()
	if keys, err := f.Keys(t.Context(), f.org, email, false); err != nil || len(keys) != 1 {
		t.Errorf("%d live keys, %v", len(keys), err)
	}
	if _, err := f.ResetAdmin(t.Context(), f.org, func(id.Org, secret.String) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Authenticate(t.Context(), f.admin); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("the old admin key: %v", err)
	}
}

func TestAWeakerKeyCantMakeAStrongerOne(t *testing.T) {
	f := setUp(t)
	_, plain := f.newKey(t, service.KeyRequest{Name: "w", Permissions: []access.Permission{access.Write}})
	weak, err := f.Authenticate(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = f.CreateKey(t.Context(), f.org, &weak, f.actor(), email, service.KeyRequest{Name: "a", Permissions: []access.Permission{access.Admin}})
	if !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("create: %v", err)
	}
	strong := []access.Permission{access.Admin}
	if _, err = f.UpdateKey(t.Context(), weak, f.actor(), email, "w", service.KeyChange{Permissions: &strong}); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("update: %v", err)
	}
	f.newKey(t, service.KeyRequest{Name: "boss", Permissions: strong})
	if _, _, err = f.RotateKey(t.Context(), weak, f.actor(), email, "boss"); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("rotate: %v", err)
	}
}

func TestAnOrganizationDoesNotExistUntilItsKeyIsKept(t *testing.T) {
	f := setUp(t)
	lost := errors.New("the disk is full")
	if _, err := f.Found(t.Context(), "Second", "b@example.com", func(id.Org, secret.String) error { return lost }); !errors.Is(err, lost) {
		t.Fatalf("founded with %v", err)
	}
	orgs, err := f.System.Organizations(t.Context(), "", 10)
	if err != nil || len(orgs) != 1 {
		t.Errorf("%d organizations, %v", len(orgs), err)
	}
}

func TestWhichNamespace(t *testing.T) {
	f := setUp(t)
	only, err := f.Namespace(t.Context(), f.org, "")
	if err != nil || only.Name != "default" {
		t.Fatalf("the only one: %+v, %v", only, err)
	}
	second, err := f.CreateNamespace(t.Context(), f.org, f.actor(), "second")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Namespace(t.Context(), f.org, ""); !errs.Is(err, errs.Invalid) {
		t.Errorf("none named of two: %v", err)
	}
	for _, name := range []string{"second", string(second.ID)} {
		if n, err := f.Namespace(t.Context(), f.org, name); err != nil || n.ID != second.ID {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	if _, err := f.Namespace(t.Context(), id.NewOrg(), string(second.ID)); !errs.Is(err, errs.NotFound) {
		t.Errorf("another organization's: %v", err)
	}
}
