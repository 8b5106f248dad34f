package config

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// encrypted is the BSON binary subtype of CSFLE values.
const encrypted = 6

const destroyedKey = "destroyed"

// MarshalBSON writes the natural document, fields in the order of the table, so
// that equal configurations are equal bytes. A sensitive field that is not
// sealed is refused.
func (s Sealed) MarshalBSON() ([]byte, error) {
	spec, _ := Lookup(s.Provider)
	kind, _ := spec.Kind(s.Credential)
	creds := bson.D{{Key: typeKey, Value: s.Credential}}
	for _, name := range ordered(kind.Fields, s.Credentials) {
		if isSecret(s.Provider, s.Credential, name) {
			return nil, errs.New(errs.Internal, "config.store", "the secret "+name+" is not sealed")
		}
		creds = append(creds, bson.E{Key: name, Value: s.Credentials[name]})
	}
	for _, name := range ordered(kind.Fields, s.Secrets) {
		if s.Secrets[name].Subtype != encrypted {
			return nil, errs.New(errs.Internal, "config.store", "the secret "+name+" is not sealed")
		}
		creds = append(creds, bson.E{Key: name, Value: s.Secrets[name]})
	}
	doc := bson.D{{Key: providerKey, Value: s.Provider}}
	for _, name := range ordered(spec.Fields, s.Fields) {
		doc = append(doc, bson.E{Key: name, Value: s.Fields[name]})
	}
	doc = append(doc, bson.E{Key: credentialsKey, Value: creds})
	if len(s.Destroyed) > 0 {
		doc = append(doc, bson.E{Key: destroyedKey, Value: s.Destroyed})
	}
	return bson.Marshal(doc)
}

// ordered returns the map's keys in the order of the table, then the others.
func ordered[V any](table []Field, m map[string]V) []string {
	var names []string
	for _, f := range table {
		if _, ok := m[f.Name]; ok {
			names = append(names, f.Name)
		}
	}
	for _, name := range sortedKeys(m) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// UnmarshalBSON reads what MarshalBSON wrote, also fields that the table no
// longer or not yet has. A sensitive field in the clear is errs.Corrupt.
func (s *Sealed) UnmarshalBSON(data []byte) error {
	*s = Sealed{Fields: map[string]any{}, Credentials: map[string]any{}, Secrets: map[string]bson.Binary{}}
	elements, err := bson.Raw(data).Elements()
	if err != nil {
		return corrupt("provider_config", err)
	}
	var creds []bson.RawElement
	for _, e := range elements {
		v := e.Value()
		switch e.Key() {
		case providerKey:
			s.Provider, _ = v.StringValueOK()
		case credentialsKey:
			doc, _ := v.DocumentOK()
			if creds, err = doc.Elements(); err != nil {
				return corrupt(credentialsKey, err)
			}
		case destroyedKey:
			if err := v.Unmarshal(&s.Destroyed); err != nil {
				return corrupt(destroyedKey, err)
			}
		default:
			if s.Fields[e.Key()], err = plain(v); err != nil {
				return corrupt(e.Key(), err)
			}
		}
	}
	return s.readCredentials(creds)
}

func (s *Sealed) readCredentials(creds []bson.RawElement) (err error) {
	for _, e := range creds {
		if e.Key() == typeKey {
			s.Credential, _ = e.Value().StringValueOK()
		}
	}
	for _, e := range creds {
		name, v := e.Key(), e.Value()
		if name == typeKey {
			continue
		}
		if subtype, data, ok := v.BinaryOK(); ok && subtype == encrypted {
			s.Secrets[name] = bson.Binary{Subtype: subtype, Data: slices.Clone(data)}
			continue
		}
		if isSecret(s.Provider, s.Credential, name) {
			return errs.New(errs.Corrupt, "config.read", "the stored secret "+name+" is not sealed")
		}
		if s.Credentials[name], err = plain(v); err != nil {
			return corrupt(name, err)
		}
	}
	return nil
}

// plain reads a public value in the type that Config holds.
func plain(v bson.RawValue) (any, error) {
	switch v.Type {
	case bson.TypeString:
		return v.StringValue(), nil
	case bson.TypeBoolean:
		return v.Boolean(), nil
	case bson.TypeInt32, bson.TypeInt64:
		return v.AsInt64(), nil
	case bson.TypeArray:
		var list []string
		err := v.Unmarshal(&list)
		return list, err
	}
	return nil, fmt.Errorf("a value of BSON type %s", v.Type)
}

func corrupt(what string, err error) error {
	return errs.Wrap(err, errs.Corrupt, "config.read", "the stored field "+what+" can't be read")
}
