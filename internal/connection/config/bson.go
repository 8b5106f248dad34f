package config

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

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
// longer or not yet has. A sensitive field in the clear is errs.Corrupt. It holds
// nothing of data afterwards.
func (s *Sealed) UnmarshalBSON(data []byte) error {
	*s = Sealed{Fields: map[string]any{}, Credentials: map[string]any{}, Secrets: map[string]bson.Binary{}}
	creds, bare := bson.Raw(nil), true
	err := elements(data, func(name []byte, v bson.RawValue) (err error) {
		switch string(name) {
		case providerKey:
			s.Provider, _ = v.StringValueOK()
		case credentialsKey:
			creds, _ = v.DocumentOK()
			bare = false
		case destroyedKey:
			if err = v.Unmarshal(&s.Destroyed); err != nil {
				err = corrupt(destroyedKey, err)
			}
		default:
			s.Fields[nameOf(name)], err = plain(name, v)
		}
		return err
	})
	if err != nil || bare {
		return err
	}
	return s.readCredentials(creds)
}

func (s *Sealed) readCredentials(creds bson.Raw) error {
	s.Credential, _ = creds.Lookup(typeKey).StringValueOK()
	return elements(creds, func(key []byte, v bson.RawValue) (err error) {
		if string(key) == typeKey {
			return nil
		}
		name := nameOf(key)
		if subtype, data, ok := v.BinaryOK(); ok && subtype == encrypted {
			s.Secrets[name] = bson.Binary{Subtype: subtype, Data: slices.Clone(data)}
			return nil
		}
		if isSecret(s.Provider, s.Credential, name) {
			return errs.New(errs.Corrupt, "config.read", "the stored secret "+name+" is not sealed")
		}
		s.Credentials[name], err = plain(key, v)
		return err
	})
}

// elements visits those of a document in their order. One that is damaged is errs.Corrupt.
func elements(doc []byte, visit func(name []byte, v bson.RawValue) error) error {
	length, rest, ok := bsoncore.ReadLength(doc)
	if !ok || length < 5 || int(length) != len(doc) || doc[len(doc)-1] != 0 {
		return errDamaged
	}
	for rest = rest[:len(rest)-1]; len(rest) > 0; {
		var e bsoncore.Element
		if e, rest, ok = bsoncore.ReadElement(rest); !ok {
			return errDamaged
		}
		v := e.Value()
		if err := visit(e.KeyBytes(), bson.RawValue{Type: bson.Type(v.Type), Value: v.Data}); err != nil {
			return err
		}
	}
	return nil
}

var errDamaged = errs.New(errs.Corrupt, "config.read", "a stored configuration can't be read")

// nameOf is the name of a field, without memory of its own if a table has it.
func nameOf(b []byte) string {
	if known, ok := names()[string(b)]; ok {
		return known
	}
	return string(b)
}

var names = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for _, s := range specs {
		tables := [][]Field{s.Fields}
		for _, c := range s.Credentials {
			tables = append(tables, c.Fields)
		}
		for _, f := range slices.Concat(tables...) {
			all[f.Name] = f.Name
		}
	}
	return all
})

// plain reads a public value in the type that Config holds.
func plain(name []byte, v bson.RawValue) (any, error) {
	var err error
	switch v.Type {
	case bson.TypeString:
		if text, ok := v.StringValueOK(); ok {
			return text, nil
		}
	case bson.TypeBoolean:
		if flag, ok := v.BooleanOK(); ok {
			return flag, nil
		}
	case bson.TypeInt32, bson.TypeInt64:
		return v.AsInt64(), nil
	case bson.TypeArray:
		var list []string
		if err = v.Unmarshal(&list); err == nil {
			return list, nil
		}
	}
	return nil, corrupt(string(name), cmp.Or(err, fmt.Errorf("a value of BSON type %s", v.Type)))
}

func corrupt(what string, err error) error {
	return errs.Wrap(err, errs.Corrupt, "config.read", "the stored field "+what+" can't be read")
}
