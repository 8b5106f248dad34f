package access

import (
	"slices"
	"strings"
)

var order = []Permission{Read, Write, Delete, Admin}

// Valid reports whether p is one of the four.
func (p Permission) Valid() bool { return slices.Contains(order, p) }

// Includes reports whether holding p allows what needs q.
func (p Permission) Includes(q Permission) bool {
	return p.Valid() && slices.Index(order, p) >= slices.Index(order, q)
}

// Allows reports whether any of the held permissions includes need.
func Allows(held []Permission, need Permission) bool {
	return slices.ContainsFunc(held, func(p Permission) bool { return p.Includes(need) })
}

// Resource names one resource and what contains it, innermost first: a bucket
// is followed by its namespace. A scope on any of them covers it.
type Resource []Ref

// Ref is one level of a Resource.
type Ref struct{ Type, ID string }

// operations of the contract's NamespaceOperation that a need stands for.
var operations = map[Permission][]string{
	Read:   {"read_data"},
	Write:  {"write_data", "modify_infrastructure"},
	Delete: {"delete_data"},
	Admin:  {"manage_permissions"},
}

// InScope reports whether scopes let a key reach a resource. No scopes: all.
func InScope(scopes []Scope, need Permission, r Resource) bool {
	if len(scopes) == 0 {
		return true
	}
	return slices.ContainsFunc(scopes, func(s Scope) bool {
		if len(s.Operations) > 0 && !slices.ContainsFunc(operations[need], func(op string) bool { return slices.Contains(s.Operations, op) }) {
			return false
		}
		return slices.ContainsFunc(r, func(ref Ref) bool {
			return ref.Type == s.ResourceType && wildcard(s.ResourceID, ref.ID)
		})
	})
}

// wildcard matches s against a pattern in which * stands for any characters.
func wildcard(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}

// NotBeyond reports whether a key with the granting permissions and scopes may
// issue one with the asked: no key grants more than it has.
func NotBeyond(grantor APIKey, permissions []Permission, scopes []Scope) bool {
	for _, p := range permissions {
		if !Allows(grantor.Permissions, p) {
			return false
		}
	}
	if len(grantor.Scopes) == 0 {
		return true
	}
	return len(scopes) > 0 && !slices.ContainsFunc(scopes, func(s Scope) bool {
		return !slices.ContainsFunc(grantor.Scopes, func(g Scope) bool { return g.covers(s) })
	})
}

func (s Scope) covers(t Scope) bool {
	if s.ResourceType != t.ResourceType || !wildcard(s.ResourceID, t.ResourceID) {
		return false
	}
	if len(s.Operations) == 0 {
		return true
	}
	return len(t.Operations) > 0 && !slices.ContainsFunc(t.Operations, func(op string) bool { return !slices.Contains(s.Operations, op) })
}
