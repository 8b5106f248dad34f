package config

import (
	"slices"
	"strconv"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

const credentialsKey, typeKey, providerKey = "credentials", "type", "provider_type"

// Decode reads a provider_config as it came, decoded from JSON (numbers as
// json.Number or float64). at is the gathering at its own path, for instance
// body.provider_config: every bad field is added there, and the error carries
// all that has been gathered in at, also before. Secrets may be the marker;
// Merge decides what that means. No value is ever repeated in a message.
//
// A null or empty optional field is absent. A missing provider_type or
// credentials.type is filled in, where the fields leave no doubt.
func Decode(provider string, raw map[string]any, at errs.Fields) (Config, error) {
	const op = "config.decode"
	spec, ok := Lookup(provider)
	if !ok {
		at.Add("enum", Refusal(provider), providerKey)
		return Config{}, at.Err(op)
	}
	if t := raw[providerKey]; t != nil && t != provider {
		at.Add("value_error", "must be "+quote(provider)+", as provider_type beside provider_config", providerKey)
	}
	kind, creds := spec.credentials(raw, at)
	c := Config{Provider: provider, Credential: kind.Type, Fields: map[string]any{},
		Credentials: map[string]any{}, Secrets: map[string]secret.String{}}
	r := reader{at: at, beside: raw, kind: kind.Type}
	r.read(spec.Fields, raw, []string{providerKey, credentialsKey}, c.Fields, nil)
	if kind.Type != "" {
		r.at = at.At(credentialsKey)
		r.read(kind.Fields, creds, append([]string{typeKey}, kind.Dropped...), c.Credentials, c.Secrets)
	}
	return c, at.Err(op)
}

// credentials finds which kind the credentials are of. The kind is zero when
// that can't be told, which has then been noted.
func (s Spec) credentials(raw map[string]any, at errs.Fields) (Credential, map[string]any) {
	creds, ok := raw[credentialsKey].(map[string]any)
	switch {
	case raw[credentialsKey] == nil:
		at.Add("missing", "field required", credentialsKey)
		return Credential{}, nil
	case !ok:
		at.Add("dict_type", "must be an object", credentialsKey)
		return Credential{}, nil
	}
	typ, given := creds[typeKey].(string)
	if creds[typeKey] != nil {
		kind, ok := s.Kind(typ)
		if !given || !ok {
			at.Add("enum", "must be "+oneOf(s.kinds()), credentialsKey, typeKey)
		}
		return kind, creds
	}
	var fit []Credential
	for _, k := range s.Credentials {
		if k.fits(creds) {
			fit = append(fit, k)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], creds
	case len(s.Credentials) == 1:
		return s.Credentials[0], creds
	case len(fit) == 0:
		at.Add("missing", "say which kind these are: "+oneOf(s.kinds()), credentialsKey, typeKey)
	default:
		at.Add("value_error", "the fields fit more than one kind: say "+oneOf(s.kinds()), credentialsKey, typeKey)
	}
	return Credential{}, creds
}

func (s Spec) kinds() []string {
	var names []string
	for _, k := range s.Credentials {
		names = append(names, k.Type)
	}
	return names
}

func (c Credential) fits(creds map[string]any) bool {
	has := func(name string) bool { return !absent(creds[name]) }
	return !slices.ContainsFunc(c.Told, func(n string) bool { return !has(n) }) && !slices.ContainsFunc(c.Untold, has)
}

// reader reads one level of a configuration.
type reader struct {
	at     errs.Fields
	beside map[string]any // the fields beside credentials, for LooseWith
	kind   string
}

func (r reader) read(fields []Field, raw map[string]any, ignored []string, public map[string]any, secrets map[string]secret.String) {
	known := slices.Clone(ignored)
	for _, f := range fields {
		known = append(known, f.Name)
		v := raw[f.Name]
		if f.LooseWith != "" && !absent(r.beside[f.LooseWith]) {
			f.Min, f.Max = 1, 0
		}
		operators := f.Instead != "" && !absent(raw[f.Instead])
		switch {
		case operators && f.Secret:
			if v != secret.Marker && !absent(v) {
				r.at.Add("value_error", "is the operator's, since "+f.Instead+" is given: leave it out", f.Name)
			}
		case absent(v) && f.Required && !operators:
			r.at.Add("missing", "field required: "+f.Description, f.Name)
		case absent(v):
			if f.Default != nil {
				public[f.Name] = f.Default
			}
		case f.Kind != "" && f.Kind != r.kind && r.kind != "":
			r.at.Add("value_error", "goes only with credentials of type "+f.Kind, f.Name)
		default:
			value, typ, complaint := f.value(v)
			switch {
			case complaint != "":
				r.at.Add(typ, complaint, f.Name)
			case f.Secret:
				secrets[f.Name] = secret.New(value.(string))
			default:
				public[f.Name] = value
			}
		}
	}
	for _, name := range sortedKeys(raw) {
		if !slices.Contains(known, name) {
			r.at.Add("extra_forbidden", "unknown field", clip(name))
		}
	}
}

// absent: null, and what an emptied form field sends.
func absent(v any) bool { return v == nil || v == "" }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func oneOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// clip bounds a name that a client chose, for messages.
func clip(s string) string {
	if r := []rune(s); len(r) > 64 {
		return string(r[:64]) + "…"
	}
	return s
}

func quote(s string) string { return strconv.Quote(clip(s)) }
