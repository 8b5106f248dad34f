package snowflake

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

// adminRole may do everything. It is the role of a user who has no other.
const adminRole = "SYSADMIN"

// Privilege is what a role may be granted on an object.
type Privilege string

// The privileges that are told apart. Who may read a table sees its schema and
// database too.
const (
	Select Privilege = "SELECT" // on a table or view
	Usage  Privilege = "USAGE"  // on a warehouse
)

// User is a user of the account.
type User struct {
	s                *Server
	name             string
	password         string
	keys             [2]*rsa.PublicKey
	locked           bool
	roles            map[string]bool
	defaultRole      string
	defaultWarehouse string
}

type role struct {
	admin  bool
	grants map[string]bool // privilege, a space and the key of the object
}

func (r *role) may(p Privilege, object string) bool {
	return r != nil && (r.admin || r.grants[string(p)+" "+object])
}

// User adds a user, or replaces the password of one. Names are upper-cased.
// Without a password only keys let the user in.
func (s *Server) User(name, password string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(name)
	u.password = password
	return u
}

// Key registers a public key for a user, who is added when unknown: slot 1 is
// RSA_PUBLIC_KEY, 2 is RSA_PUBLIC_KEY_2. A nil key empties the slot.
func (s *Server) Key(user string, key *rsa.PublicKey, slot int) *User {
	if slot != 1 && slot != 2 {
		panic("snowflake: the slot of a key is 1 or 2")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(user)
	u.keys[slot-1] = key
	return u
}

func (s *Server) user(name string) *User {
	name = strings.ToUpper(name)
	u := s.users[name]
	if u == nil {
		u = &User{s: s, name: name, roles: map[string]bool{}}
		s.users[name] = u
	}
	return u
}

// Lock refuses the user's logins as after too many wrong passwords; Lock(false)
// lets them in again.
func (u *User) Lock(locked bool) *User {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	u.locked = locked
	return u
}

// Role grants a role to the user; the first becomes the default. A user without
// any has SYSADMIN, which may do everything.
func (u *User) Role(name string) *User {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	name = objectName(name)
	u.roles[name] = true
	if u.defaultRole == "" {
		u.defaultRole = name
	}
	return u
}

// DefaultWarehouse names the warehouse of sessions that ask for none.
func (u *User) DefaultWarehouse(name string) *User {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	u.defaultWarehouse = objectName(name)
	return u
}

// Role adds a role that may do nothing yet.
func (s *Server) Role(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name = objectName(name); s.roles[name] == nil {
		s.roles[name] = &role{grants: map[string]bool{}}
	}
}

// Warehouse adds a warehouse.
func (s *Server) Warehouse(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warehouses[objectName(name)] = true
}

// Grant lets a role use an object: a table or view by DB.SCHEMA.NAME, a warehouse
// by its name. The role must exist.
func (s *Server) Grant(role string, p Privilege, object string) { s.grant(role, p, object, true) }

// Revoke takes a privilege back.
func (s *Server) Revoke(role string, p Privilege, object string) { s.grant(role, p, object, false) }

func (s *Server) grant(name string, p Privilege, object string, allow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roles[objectName(name)]
	if r == nil || r.admin {
		panic(fmt.Sprintf("snowflake: there is no role %s to grant to", name))
	}
	key := string(p) + " " + mustPath(object).key()
	if allow {
		r.grants[key] = true
	} else {
		delete(r.grants, key)
	}
}

// holds says whether the user may take a role.
func (u *User) holds(name string) bool {
	return u.roles[name] || len(u.roles) == 0 && name == adminRole
}

// fingerprint names a public key as Snowflake does.
func fingerprint(key *rsa.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.StdEncoding.EncodeToString(sum[:])
}
