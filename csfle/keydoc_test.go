package csfle

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// keyDoc is a whole key document, of which tests change fields.
func keyDoc() bson.D {
	return bson.D{
		{Key: "_id", Value: bson.Binary{Subtype: 4, Data: bytes.Repeat([]byte{7}, 16)}},
		{Key: "keyAltNames", Value: bson.A{"int_a/1"}},
		{Key: "keyMaterial", Value: bson.Binary{Data: bytes.Repeat([]byte{1}, 160)}},
		{Key: "creationDate", Value: bson.DateTime(1700000000123)},
		{Key: "updateDate", Value: bson.DateTime(1700000000456)},
		{Key: "status", Value: int32(0)},
		{Key: "masterKey", Value: bson.D{{Key: "provider", Value: "local"}}},
	}
}

func with(d bson.D, key string, v any) bson.D {
	out := bson.D{}
	found := false
	for _, e := range d {
		if e.Key == key {
			e.Value, found = v, true
		}
		out = append(out, e)
	}
	if !found {
		out = append(out, bson.E{Key: key, Value: v})
	}
	return out
}

func without(d bson.D, key string) bson.D {
	out := bson.D{}
	for _, e := range d {
		if e.Key != key {
			out = append(out, e)
		}
	}
	return out
}

func TestKeyDocumentIsWrittenAsLibmongocryptDoes(t *testing.T) {
	raw := document(t, keyDoc())
	doc := must(ParseKeyDocument(raw))(t)
	if doc.ID[0] != 7 || doc.AltNames[0] != "int_a/1" || len(doc.KeyMaterial) != 160 || doc.Status != 0 ||
		!doc.CreationDate.Equal(time.UnixMilli(1700000000123)) || !doc.UpdateDate.Equal(time.UnixMilli(1700000000456)) {
		t.Errorf("parsed to %+v", doc)
	}
	if b := must(doc.MarshalBSON())(t); !bytes.Equal(b, raw) {
		t.Errorf("written as %v", bson.Raw(b))
	}
	doc.AltNames = nil
	if b := must(doc.MarshalBSON())(t); !bytes.Equal(b, document(t, without(keyDoc(), "keyAltNames"))) {
		t.Errorf("without names written as %v", bson.Raw(b))
	}
}

func TestKeyDocumentThroughTheDriver(t *testing.T) {
	type holder struct{ Key KeyDocument }
	want := holder{must(ParseKeyDocument(document(t, keyDoc())))(t)}
	var got holder
	if err := bson.Unmarshal(must(bson.Marshal(want))(t), &got); err != nil {
		t.Fatal(err)
	}
	if a, b := must(got.Key.MarshalBSON())(t), must(want.Key.MarshalBSON())(t); !bytes.Equal(a, b) {
		t.Errorf("became %v", bson.Raw(a))
	}
}

func TestParseKeyDocumentAccepts(t *testing.T) {
	for what, d := range map[string]bson.D{
		"no names":        without(keyDoc(), "keyAltNames"),
		"empty names":     with(keyDoc(), "keyAltNames", bson.A{}),
		"version int32":   with(keyDoc(), "version", int32(0)),
		"version int64":   with(keyDoc(), "version", int64(0)),
		"disabled":        with(keyDoc(), "status", int32(1)),
		"named provider":  with(keyDoc(), "masterKey", bson.D{{Key: "provider", Value: "local:name_2"}}),
		"reversed order":  {keyDoc()[6], keyDoc()[5], keyDoc()[4], keyDoc()[3], keyDoc()[2], keyDoc()[0]},
		"delegated kmip":  with(keyDoc(), "masterKey", bson.D{{Key: "provider", Value: "kmip"}, {Key: "keyId", Value: "1"}, {Key: "delegated", Value: true}}),
		"aws with a host": with(keyDoc(), "masterKey", bson.D{{Key: "provider", Value: "aws"}, {Key: "region", Value: "r"}, {Key: "key", Value: "k"}, {Key: "endpoint", Value: "h:1"}}),
	} {
		if _, err := ParseKeyDocument(document(t, d)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestParseKeyDocumentRefuses(t *testing.T) {
	cases := map[string]bson.D{
		"unknown field":       with(keyDoc(), "tenant", "x"),
		"field twice":         append(keyDoc(), keyDoc()[5]),
		"id of subtype 0":     with(keyDoc(), "_id", bson.Binary{Data: make([]byte, 16)}),
		"id too short":        with(keyDoc(), "_id", bson.Binary{Subtype: 4, Data: make([]byte, 15)}),
		"id a string":         with(keyDoc(), "_id", "x"),
		"name twice":          with(keyDoc(), "keyAltNames", bson.A{"a", "b", "a"}),
		"name a number":       with(keyDoc(), "keyAltNames", bson.A{"a", int32(1)}),
		"names a string":      with(keyDoc(), "keyAltNames", "a"),
		"material empty":      with(keyDoc(), "keyMaterial", bson.Binary{}),
		"material subtype 4":  with(keyDoc(), "keyMaterial", bson.Binary{Subtype: 4, Data: make([]byte, 160)}),
		"date a number":       with(keyDoc(), "creationDate", int64(1)),
		"date a timestamp":    with(keyDoc(), "updateDate", bson.Timestamp{T: 1}),
		"status int64":        with(keyDoc(), "status", int64(0)),
		"status double":       with(keyDoc(), "status", 0.0),
		"version 1":           with(keyDoc(), "version", int32(1)),
		"version double":      with(keyDoc(), "version", 0.0),
		"master key a string": with(keyDoc(), "masterKey", "local"),
	}
	for _, key := range requiredKeyFields {
		cases["no "+key] = without(keyDoc(), key)
	}
	for what, m := range map[string]bson.D{
		"empty":              {},
		"provider a number":  {{Key: "provider", Value: int32(1)}},
		"unknown provider":   {{Key: "provider", Value: "vault"}},
		"name empty":         {{Key: "provider", Value: "local:"}},
		"name with a dash":   {{Key: "provider", Value: "local:a-b"}},
		"unknown field":      {{Key: "provider", Value: "local"}, {Key: "kek", Value: "1"}},
		"provider twice":     {{Key: "provider", Value: "local"}, {Key: "provider", Value: "local"}},
		"field twice":        {{Key: "provider", Value: "kmip"}, {Key: "keyId", Value: "1"}, {Key: "keyId", Value: "2"}},
		"aws without key":    {{Key: "provider", Value: "aws"}, {Key: "region", Value: "r"}},
		"aws key a number":   {{Key: "provider", Value: "aws"}, {Key: "region", Value: "r"}, {Key: "key", Value: int32(1)}},
		"azure without name": {{Key: "provider", Value: "azure"}, {Key: "keyVaultEndpoint", Value: "h"}},
		"gcp without ring":   {{Key: "provider", Value: "gcp"}, {Key: "projectId", Value: "p"}, {Key: "location", Value: "l"}, {Key: "keyName", Value: "k"}},
		"kmip without id":    {{Key: "provider", Value: "kmip"}},
		"kmip delegated 1":   {{Key: "provider", Value: "kmip"}, {Key: "keyId", Value: "1"}, {Key: "delegated", Value: int32(1)}},
	} {
		cases["masterKey "+what] = with(keyDoc(), "masterKey", m)
	}
	for what, d := range cases {
		_, err := ParseKeyDocument(document(t, d))
		wantKind(t, what, err, errs.Corrupt)
	}
	whole := document(t, keyDoc())
	for n := range whole {
		_, err := ParseKeyDocument(whole[:n])
		wantKind(t, "truncated", err, errs.Corrupt)
	}
	_, err := ParseKeyDocument(append(whole, 0))
	wantKind(t, "trailing byte", err, errs.Corrupt)
}

func TestParsedDocumentSharesNoMemory(t *testing.T) {
	raw := document(t, keyDoc())
	doc := must(ParseKeyDocument(raw))(t)
	want := must(doc.MarshalBSON())(t)
	clear(raw)
	if got := must(doc.MarshalBSON())(t); !bytes.Equal(got, want) {
		t.Error("the parsed document changed with its source")
	}
}

func TestInvalidDocumentIsNotWritten(t *testing.T) {
	for what, change := range map[string]func(*KeyDocument){
		"names twice":   func(d *KeyDocument) { d.AltNames = []string{"a", "a"} },
		"no material":   func(d *KeyDocument) { d.KeyMaterial = nil },
		"no master key": func(d *KeyDocument) { d.MasterKey = nil },
	} {
		doc := must(ParseKeyDocument(document(t, keyDoc())))(t)
		change(&doc)
		_, err := doc.MarshalBSON()
		wantKind(t, what, err, errs.Invalid)
	}
}

func TestCheckAltName(t *testing.T) {
	for _, name := range []string{"a", "int_a/1", "!~", strings.Repeat("x", 256)} {
		if err := CheckAltName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", " ", "a b", "a\x00", "\x7f", "é", strings.Repeat("x", 257)} {
		wantKind(t, name, CheckAltName(name), errs.Invalid)
	}
}

func TestKeyID(t *testing.T) {
	id := KeyID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 1, 2, 3, 4, 5, 6, 7}
	const text = "01234567-89ab-cdef-0001-020304050607"
	if id.String() != text {
		t.Errorf("String = %s", id)
	}
	if got := must(ParseKeyID(strings.ToUpper(text)))(t); got != id {
		t.Errorf("parsed to %v", got)
	}
	for _, s := range []string{"", text + "0", text[:35], strings.ReplaceAll(text, "-", ""), strings.Replace(text, "a", "g", 1), "0123456789abcdef00010203040506070000"} {
		_, err := ParseKeyID(s)
		wantKind(t, s, err, errs.Invalid)
	}
	type holder struct{ IDs []KeyID }
	b := must(bson.Marshal(holder{[]KeyID{id}}))(t)
	if subtype, _ := bson.Raw(b).Lookup("ids", "0").Binary(); subtype != 4 {
		t.Errorf("BSON subtype %d", subtype)
	}
	var fromBSON, fromJSON holder
	if err := bson.Unmarshal(b, &fromBSON); err != nil || fromBSON.IDs[0] != id {
		t.Errorf("from BSON: %v %v", fromBSON, err)
	}
	j := must(json.Marshal(holder{[]KeyID{id}}))(t)
	if err := json.Unmarshal(j, &fromJSON); err != nil || fromJSON.IDs[0] != id || !strings.Contains(string(j), text) {
		t.Errorf("through JSON: %s %v", j, err)
	}
	for _, v := range []any{"x", bson.Binary{Data: id[:]}, bson.Binary{Subtype: 4, Data: id[:15]}} {
		err := bson.Unmarshal(document(t, bson.D{{Key: "ids", Value: bson.A{v}}}), &fromBSON)
		wantKind(t, "from another value", err, errs.Corrupt)
	}
	a, c := newKeyID(), newKeyID()
	if a == c || a[6]>>4 != 4 || a[8]>>6 != 2 {
		t.Errorf("new ids %v %v are not random UUIDs of version 4", a, c)
	}
}
