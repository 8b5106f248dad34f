package csfle

import (
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// KeyDocument is a data key as the vault stores it: wrapped by a master key.
// It holds nothing secret in the clear. Its BSON form is that of MongoDB's key
// vault collection; official drivers refuse a document with any further field,
// so there is no room for fields of our own.
type KeyDocument struct {
	ID           KeyID     // _id
	AltNames     []string  // keyAltNames; a KeyVault of this package takes exactly one
	KeyMaterial  []byte    // the wrapped key; 160 bytes under a local master key
	CreationDate time.Time // milliseconds, UTC
	UpdateDate   time.Time // milliseconds, UTC; when the key was last wrapped
	Status       int32     // 0 enabled, 1 disabled; informational, enforced by nobody
	MasterKey    bson.Raw  // which master key wrapped it: {provider: …}
}

// ParseKeyDocument reads a document of the key vault. It is as strict as
// libmongocrypt: unknown, missing or repeated fields, wrong types, repeated
// alternate names and a version other than 0 are errs.Corrupt. The result
// shares no memory with b.
func ParseKeyDocument(b bson.Raw) (KeyDocument, error) {
	var d KeyDocument
	problem := d.parse(b)
	if problem == "" {
		problem = d.problem()
	}
	if problem != "" {
		return KeyDocument{}, errs.New(errs.Corrupt, "csfle.parse_key", "the data key document is not valid: "+problem)
	}
	return d, nil
}

// UnmarshalBSON is ParseKeyDocument for the driver's decoder.
func (d *KeyDocument) UnmarshalBSON(b []byte) (err error) {
	*d, err = ParseKeyDocument(b)
	return err
}

// MarshalBSON writes the document with its fields in the order libmongocrypt
// writes them. Dates are cut to milliseconds; keyAltNames is left out when
// there are none. A document that ParseKeyDocument would refuse is errs.Invalid.
func (d KeyDocument) MarshalBSON() ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	doc := bson.D{{Key: "_id", Value: d.ID.binary()}}
	if len(d.AltNames) > 0 {
		doc = append(doc, bson.E{Key: "keyAltNames", Value: d.AltNames})
	}
	doc = append(doc,
		bson.E{Key: "keyMaterial", Value: bson.Binary{Subtype: subtypeGeneric, Data: d.KeyMaterial}},
		bson.E{Key: "creationDate", Value: bson.DateTime(d.CreationDate.UnixMilli())},
		bson.E{Key: "updateDate", Value: bson.DateTime(d.UpdateDate.UnixMilli())},
		bson.E{Key: "status", Value: d.Status},
		bson.E{Key: "masterKey", Value: d.MasterKey},
	)
	b, err := bson.Marshal(doc)
	return b, wrap(err, "csfle.marshal_key", "the data key document can't be written")
}

// Validate returns errs.Invalid when the document could not be read back.
func (d KeyDocument) Validate() error {
	if problem := d.problem(); problem != "" {
		return errs.New(errs.Invalid, "csfle.validate_key", "the data key document is not valid: "+problem)
	}
	return nil
}

// AltName returns the one alternate name that a KeyVault requires and that
// CheckAltName accepts, or errs.Invalid.
func (d KeyDocument) AltName() (string, error) {
	if len(d.AltNames) != 1 {
		return "", errs.New(errs.Invalid, "csfle.validate_key", "a data key must have exactly one alternate name")
	}
	return d.AltNames[0], CheckAltName(d.AltNames[0])
}

// Clone returns a copy that shares no memory with d.
func (d KeyDocument) Clone() KeyDocument {
	d.AltNames = slices.Clone(d.AltNames)
	d.KeyMaterial = slices.Clone(d.KeyMaterial)
	d.MasterKey = slices.Clone(d.MasterKey)
	return d
}

// CheckAltName returns errs.Invalid unless name can be the alternate name of
// a key in a KeyVault: 1 to 256 bytes of printable ASCII (0x21 to 0x7E). Such
// names sort alike in every store.
func CheckAltName(name string) error {
	ok := len(name) >= 1 && len(name) <= 256
	for i := 0; ok && i < len(name); i++ {
		ok = name[i] >= 0x21 && name[i] <= 0x7e
	}
	if !ok {
		return errs.New(errs.Invalid, "csfle.validate_key", "a data key's name must have 1 to 256 printable ASCII characters and no space")
	}
	return nil
}

// problem checks the values of a document, whether read or made.
func (d KeyDocument) problem() string {
	for i, n := range d.AltNames {
		if slices.Contains(d.AltNames[:i], n) {
			return "keyAltNames holds a name twice"
		}
	}
	if len(d.KeyMaterial) == 0 {
		return "keyMaterial is empty"
	}
	return masterKeyProblem(d.MasterKey)
}

var keyFields = map[string]func(*KeyDocument, bson.RawValue) bool{
	"_id": func(d *KeyDocument, v bson.RawValue) (ok bool) {
		d.ID, ok = keyIDFrom(v)
		return ok
	},
	"keyAltNames": (*KeyDocument).parseAltNames,
	"keyMaterial": func(d *KeyDocument, v bson.RawValue) bool {
		subtype, b, ok := v.BinaryOK()
		d.KeyMaterial = slices.Clone(b)
		return ok && subtype == subtypeGeneric
	},
	"creationDate": func(d *KeyDocument, v bson.RawValue) bool { return parseDate(&d.CreationDate, v) },
	"updateDate":   func(d *KeyDocument, v bson.RawValue) bool { return parseDate(&d.UpdateDate, v) },
	"status": func(d *KeyDocument, v bson.RawValue) (ok bool) {
		d.Status, ok = v.Int32OK()
		return ok
	},
	"masterKey": func(d *KeyDocument, v bson.RawValue) bool {
		doc, ok := v.DocumentOK()
		d.MasterKey = slices.Clone(doc)
		return ok
	},
	"version": func(_ *KeyDocument, v bson.RawValue) bool {
		n, ok := v.AsInt64OK()
		return ok && n == 0 && (v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64)
	},
}

var requiredKeyFields = []string{"_id", "keyMaterial", "creationDate", "updateDate", "status", "masterKey"}

func (d *KeyDocument) parse(b bson.Raw) (problem string) {
	if !isOneValue(bson.TypeEmbeddedDocument, b) {
		return "it is not one well-formed BSON document"
	}
	elements, err := b.Elements()
	if err != nil {
		return "it is not one well-formed BSON document"
	}
	seen := make(map[string]bool, len(elements))
	for _, e := range elements {
		name := e.Key()
		set, known := keyFields[name]
		switch {
		case !known:
			return "unknown field " + quoteShort(name)
		case seen[name]:
			return "field " + name + " stands twice"
		case !set(d, e.Value()):
			return "field " + name + " has a wrong type or value"
		}
		seen[name] = true
	}
	for _, name := range requiredKeyFields {
		if !seen[name] {
			return "field " + name + " is missing"
		}
	}
	return ""
}

func (d *KeyDocument) parseAltNames(v bson.RawValue) bool {
	array, ok := v.ArrayOK()
	if !ok {
		return false
	}
	values, err := array.Values()
	if err != nil {
		return false
	}
	for _, v := range values {
		name, ok := v.StringValueOK()
		if !ok {
			return false
		}
		d.AltNames = append(d.AltNames, name)
	}
	return true
}

func parseDate(t *time.Time, v bson.RawValue) bool {
	ms, ok := v.DateTimeOK()
	*t = time.UnixMilli(ms).UTC()
	return ok
}

// quoteShort quotes at most 40 bytes of a name that came from outside.
func quoteShort(s string) string { return strconv.Quote(s[:min(len(s), 40)]) }
