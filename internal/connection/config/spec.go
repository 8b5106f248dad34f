package config

import (
	"regexp"
	"slices"
)

// Type is the JSON type of a field.
type Type string

// The types, by their names in JSON Schema.
const (
	String  Type = "string"
	Boolean Type = "boolean"
	Integer Type = "integer"
	Strings Type = "array" // of strings
)

// Field is one row of the table: all that decoding, redaction, sealing, forms
// and documentation know about a field.
type Field struct {
	Name        string
	Type        Type
	Description string // for people: what it is and where to find it

	Required bool
	Secret   bool // sealed at rest, shown as the marker
	// Use marks what decides where and as whom a secret is used. It enters the
	// use digest that a secret is sealed with, and while it changes no stored
	// secret can be kept. A Use field that joins the table later must be
	// optional and without default: the digest of what is stored stays the same.
	Use bool

	Default  any // written out when the field is absent
	Min, Max int // code points of a string, elements of a list, value of an integer; Max 0: see limit
	// LooseWith names a field beside credentials that lifts Min and Max when it
	// is set: a server that is not the provider's own has its own lengths.
	LooseWith string
	// Pattern must match the whole string, or each element. Values that enter a
	// host name or a path have one that keeps them there. Must says so to people.
	Pattern *regexp.Regexp
	Must    string
	// Check returns the normal form of a string, or what is wrong with it.
	Check func(s string) (normal, complaint string)

	Kind string // of credentials this field belongs to, though it stands beside them
	// Instead names a field beside this one that makes it the operator's: it need
	// not be given then, and a secret must not be, but for the marker that
	// responses show in its place.
	Instead   string
	Extension bool // not in the reference API: left out of responses while unset
}

// Credential is one kind of credentials of a provider.
type Credential struct {
	Type        string
	Description string
	Fields      []Field
	// Told says which fields must be there, and which must not, for a missing
	// credentials.type to be read as this kind.
	Told, Untold []string
	// Dropped are keys that a pasted key file has and that are never looked at.
	Dropped []string
}

// Spec is all that one provider takes.
type Spec struct {
	Provider    string
	Title       string
	Fields      []Field // beside credentials
	Credentials []Credential
}

var specs = []Spec{googleDrive, s3, snowflake, sharePoint, tigris}

// unsupported are the reference API's other providers: known by name only.
var unsupported = []string{"postgresql", "instagram", "tiktok", "rss", "http_api", "box"}

// Specs returns the table, in the reference API's order. Callers must not change it.
func Specs() []Spec { return specs }

// Lookup returns the table of one provider.
func Lookup(provider string) (Spec, bool) {
	i := slices.IndexFunc(specs, func(s Spec) bool { return s.Provider == provider })
	if i < 0 {
		return Spec{}, false
	}
	return specs[i], true
}

// Supported reports whether the table knows the provider. Whether an adapter
// is built in is another question.
func Supported(provider string) bool {
	_, ok := Lookup(provider)
	return ok
}

// Refusal says why a provider that is not Supported is refused, for people.
func Refusal(provider string) string {
	what := "is unknown"
	if slices.Contains(unsupported, provider) {
		what = "is not supported"
	}
	return "the provider " + quote(provider) + " " + what + ": use " + oneOf(providers())
}

func providers() []string {
	var names []string
	for _, s := range specs {
		names = append(names, s.Provider)
	}
	return names
}

// Kind returns a kind of credentials by its type.
func (s Spec) Kind(typ string) (Credential, bool) {
	i := slices.IndexFunc(s.Credentials, func(c Credential) bool { return c.Type == typ })
	if i < 0 {
		return Credential{}, false
	}
	return s.Credentials[i], true
}

// isSecret reports whether the table says that a credential field is sensitive.
func isSecret(provider, credential, name string) bool {
	spec, _ := Lookup(provider)
	kind, _ := spec.Kind(credential)
	return slices.ContainsFunc(kind.Fields, func(f Field) bool { return f.Name == name && f.Secret })
}

// limit is the most code points a string may have, so that no field can fill a
// document: private keys are the longest.
func (f Field) limit() int {
	switch {
	case f.Max > 0:
		return f.Max
	case f.Secret:
		return 16 << 10
	}
	return 1024
}
