package csfle

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type masterKeyField struct {
	typ      bson.Type
	required bool
}

// masterKeyFields lists what the masterKey sub-document of each provider may
// hold beside "provider". Official drivers refuse a key with anything else.
var masterKeyFields = map[string]map[string]masterKeyField{
	"local": {},
	"aws": {
		"region":   {bson.TypeString, true},
		"key":      {bson.TypeString, true},
		"endpoint": {bson.TypeString, false},
	},
	"azure": {
		"keyVaultEndpoint": {bson.TypeString, true},
		"keyName":          {bson.TypeString, true},
		"keyVersion":       {bson.TypeString, false},
	},
	"gcp": {
		"projectId":  {bson.TypeString, true},
		"location":   {bson.TypeString, true},
		"keyRing":    {bson.TypeString, true},
		"keyName":    {bson.TypeString, true},
		"keyVersion": {bson.TypeString, false},
		"endpoint":   {bson.TypeString, false},
	},
	"kmip": {
		"keyId":     {bson.TypeString, true},
		"endpoint":  {bson.TypeString, false},
		"delegated": {bson.TypeBoolean, false},
	},
}

// masterKeyProblem checks a masterKey sub-document against the list above.
func masterKeyProblem(doc bson.Raw) string {
	if !isOneValue(bson.TypeEmbeddedDocument, doc) {
		return "masterKey is not one well-formed BSON document"
	}
	provider := providerOf(doc)
	kind, name, named := strings.Cut(provider, ":")
	fields, known := masterKeyFields[kind]
	if !known || named && !isProviderName(name) {
		return "masterKey names no known provider"
	}
	elements, err := doc.Elements()
	if err != nil {
		return "masterKey is not one well-formed BSON document"
	}
	seen := map[string]bool{}
	for _, e := range elements {
		key := e.Key()
		f, ok := fields[key]
		switch {
		case seen[key]:
			return "masterKey holds " + quoteShort(key) + " twice"
		case key == "provider":
		case !ok:
			return "masterKey holds the unknown field " + quoteShort(key)
		case e.Value().Type != f.typ:
			return "masterKey." + key + " has a wrong type"
		}
		seen[key] = true
	}
	for key, f := range fields {
		if f.required && !seen[key] {
			return "masterKey." + key + " is missing"
		}
	}
	return ""
}

// isProviderName checks the name of a named provider ("local:name"), which
// libmongocrypt knows from 1.9.0 on.
func isProviderName(s string) bool {
	for _, c := range s {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// providerOf returns the provider that a well-formed masterKey sub-document
// names, or "".
func providerOf(doc bson.Raw) string {
	v, err := doc.LookupErr("provider")
	if err != nil {
		return ""
	}
	s, _ := v.StringValueOK()
	return s
}

// MasterKeyName names, for people, the master key that wrapped the key: its
// provider, and what tells it from others there.
func (d KeyDocument) MasterKeyName() string {
	name := []string{providerOf(d.MasterKey)}
	for _, field := range []string{"key", "keyVaultEndpoint", "projectId", "location", "keyRing", "keyName", "keyVersion", "keyId"} {
		if v, err := d.MasterKey.LookupErr(field); err == nil {
			if s, ok := v.StringValueOK(); ok {
				name = append(name, s)
			}
		}
	}
	return strings.Join(name, " ")
}
