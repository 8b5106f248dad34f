package config

import (
	"encoding/json"
	"slices"

	"mooring/internal/secret"
)

// Redact returns the document that responses show: provider_type and
// credentials.type always, the fields of the provider's table and no other,
// null for a public one that is not set, and the marker for each secret that
// is stored or was destroyed. What it returns is the caller's.
func Redact(s Sealed) map[string]any {
	secrets := append(sortedKeys(s.Secrets), s.Destroyed...)
	return redact(s.Provider, s.Credential, s.Fields, s.Credentials, secrets)
}

// MarshalJSON gives the redacted document, so that no path to JSON shows more.
func (s Sealed) MarshalJSON() ([]byte, error) { return json.Marshal(Redact(s)) }

func redact(provider, credential string, fields, credentials map[string]any, secrets []string) map[string]any {
	spec, _ := Lookup(provider)
	kind, _ := spec.Kind(credential)
	creds := map[string]any{typeKey: credential}
	show(creds, kind.Fields, credentials, secrets)
	doc := map[string]any{providerKey: provider, credentialsKey: creds}
	show(doc, spec.Fields, fields, nil)
	return doc
}

func show(doc map[string]any, table []Field, public map[string]any, secrets []string) {
	for _, f := range table {
		v, set := public[f.Name]
		switch {
		case f.Secret:
			if _, operators := public[f.Instead]; operators || slices.Contains(secrets, f.Name) {
				doc[f.Name] = secret.Marker
			}
		case set:
			if list, ok := v.([]string); ok {
				v = slices.Clone(list)
			}
			doc[f.Name] = v
		case !f.Extension:
			doc[f.Name] = nil
		}
	}
}
