package config

import (
	"fmt"
	"strings"
)

// Use lists, name by name, what decides where and as whom the secrets are used:
// the input of the use digest they are sealed with. Two configurations with the
// same list may use each other's secrets.
func (c Config) Use() []string { return use(c.Provider, c.Credential, c.Fields, c.Credentials) }

// Use lists the same of a stored configuration.
func (s Sealed) Use() []string { return use(s.Provider, s.Credential, s.Fields, s.Credentials) }

// use is in the order of the table, so the table's order must not change.
func use(provider, credential string, fields, credentials map[string]any) []string {
	list := []string{providerKey, provider, credentialsKey + "." + typeKey, credential}
	for path, v := range useFields(provider, credential, fields, credentials) {
		list = append(list, path, v)
	}
	return list
}

// useFields yields the path and value of each Use field that is set.
func useFields(provider, credential string, fields, credentials map[string]any) func(yield func(path, value string) bool) {
	spec, _ := Lookup(provider)
	kind, _ := spec.Kind(credential)
	return func(yield func(path, value string) bool) {
		for _, f := range spec.Fields {
			if v, set := fields[f.Name]; f.Use && set && !yield(f.Name, canonical(v)) {
				return
			}
		}
		for _, f := range kind.Fields {
			if v, set := credentials[f.Name]; f.Use && set && !yield(credentialsKey+"."+f.Name, canonical(v)) {
				return
			}
		}
	}
}

func canonical(v any) string {
	if list, ok := v.([]string); ok {
		return strings.Join(list, "\x00")
	}
	return fmt.Sprint(v)
}

// changedUse returns the paths of the Use fields in which the two differ.
func changedUse(old Sealed, c Config) []string {
	a, b := map[string]string{}, map[string]string{}
	for path, v := range useFields(old.Provider, old.Credential, old.Fields, old.Credentials) {
		a[path] = v
	}
	for path, v := range useFields(c.Provider, c.Credential, c.Fields, c.Credentials) {
		b[path] = v
	}
	var changed []string
	for _, path := range sortedKeys(a) {
		if v, set := b[path]; !set || v != a[path] {
			changed = append(changed, path)
		}
	}
	for _, path := range sortedKeys(b) {
		if _, set := a[path]; !set {
			changed = append(changed, path)
		}
	}
	return changed
}
