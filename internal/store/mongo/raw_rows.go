package mongo

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/raw"
)

// Rows that stand for something of package raw, and how they are stored.

func text(d bson.Raw, field string) string {
	s, _ := d.Lookup(field).StringValueOK()
	return s
}

// decoded reads a document of package raw and checks what it belongs to.
func decoded[T any](d bson.Raw, ids func(T) []string) (v T, err error) {
	if err := doc.Decode(d, &v); err != nil {
		return v, err
	}
	return v, whose(ids(v)...)
}

func encoded(v any) (bson.Raw, error) { return doc.Encode(v) }

// sourceOf is the key that a row's _id ends with.
func sourceOf(d bson.Raw, parts int) (key.Key, error) {
	k, err := key.Decode(ownID(text(d, "_id"), parts))
	return k, errs.Wrap(err, errs.Corrupt, opEach, "a source id can't be read")
}

func giveName(d bson.Raw) (bson.Raw, error) {
	source, err := sourceOf(d, objectParts)
	if err != nil {
		return nil, err
	}
	return encoded(raw.Name{Org: id.Org(text(d, "internal_id")), Bucket: id.Bucket(text(d, "bucket_id")), Source: source, Name: text(d, "name"), Folded: text(d, "folded")})
}

func takeName(d bson.Raw) (bson.D, error) {
	n, err := decoded(d, func(n raw.Name) []string { return []string{string(n.Org), string(n.Bucket)} })
	return bson.D{
		{Key: "_id", Value: rowID(string(n.Org), string(n.Bucket), n.Source.Encode())}, {Key: "internal_id", Value: string(n.Org)},
		{Key: "bucket_id", Value: string(n.Bucket)}, {Key: "name", Value: n.Name}, {Key: "folded", Value: n.Folded},
	}, err
}

func giveNode(d bson.Raw) (bson.Raw, error) {
	return encoded(raw.Node{
		Org: id.Org(text(d, "internal_id")), Sync: id.Sync(text(d, "sync_config_id")), ID: ownID(text(d, "_id"), syncParts),
		Parent: text(d, "parent"), Name: text(d, "name"),
	})
}

func takeNode(d bson.Raw) (bson.D, error) {
	n, err := decoded(d, func(n raw.Node) []string { return []string{string(n.Org), string(n.Sync)} })
	return bson.D{
		{Key: "_id", Value: rowID(string(n.Org), string(n.Sync), n.ID)}, {Key: "internal_id", Value: string(n.Org)},
		{Key: "sync_config_id", Value: string(n.Sync)}, {Key: "parent", Value: n.Parent}, {Key: "name", Value: n.Name},
	}, err
}

func giveAbsence(d bson.Raw) (bson.Raw, error) {
	source, err := sourceOf(d, syncParts+1)
	if err != nil {
		return nil, err
	}
	return encoded(raw.Absence{
		Org: id.Org(text(d, "internal_id")), Sync: id.Sync(text(d, "sync_config_id")), Pass: id.Pass(text(d, "pass_id")),
		Object: id.Object(text(d, "object")), Source: source, Name: text(d, "name"),
	})
}

func takeAbsence(d bson.Raw) (bson.D, error) {
	a, err := decoded(d, func(a raw.Absence) []string { return []string{string(a.Org), string(a.Sync), string(a.Pass)} })
	return bson.D{
		{Key: "_id", Value: rowID(string(a.Org), string(a.Sync), string(a.Pass), a.Source.Encode())}, {Key: "internal_id", Value: string(a.Org)},
		{Key: "sync_config_id", Value: string(a.Sync)}, {Key: "pass_id", Value: string(a.Pass)}, {Key: "object", Value: string(a.Object)},
		{Key: "source_id", Value: a.Source}, {Key: "name", Value: a.Name},
	}, err
}

// giveSequence leaves out what is numbered and not written yet: numbered entries
// are read up to where they are written.
func giveSequence(d bson.Raw) (bson.Raw, error) {
	last, _ := d.Lookup("last").AsInt64OK()
	return encoded(raw.Sequence{Org: id.Org(text(d, "internal_id")), Name: text(d, "name"), Last: last})
}

func takeSequence(d bson.Raw) (bson.D, error) {
	q, err := decoded(d, func(q raw.Sequence) []string { return []string{string(q.Org), q.Name} })
	return bson.D{
		{Key: "_id", Value: rowID(string(q.Org), q.Name)}, {Key: "internal_id", Value: string(q.Org)}, {Key: "name", Value: q.Name}, {Key: "last", Value: q.Last},
	}, err
}

func withoutID(d bson.Raw) (bson.Raw, error) { return without(d, "_id") }

func takeUsage(d bson.Raw) (bson.D, error) {
	u, err := decoded(d, func(u connection.Usage) []string { return []string{string(u.Org), string(u.Connection), u.Day} })
	if err != nil {
		return nil, err
	}
	fields, err := fieldsOf(d)
	out := append(byID(rowID(string(u.Org), string(u.Connection), u.Day)), fields...)
	return append(out, bson.E{Key: "derived", Value: bson.D{{Key: "mark", Value: bson.NewObjectID()}}}), err
}

func takePlain(d bson.Raw) (bson.D, error) {
	if err := whose(text(d, "_id")); err != nil {
		return nil, err
	}
	return fieldsOf(d)
}

func takeKey(d bson.Raw) (bson.D, error) {
	if _, err := csfle.ParseKeyDocument(d); err != nil {
		return nil, err
	}
	return fieldsOf(d)
}

// ownFacts are those of the store itself.
var ownFacts = []string{schemaVersionName, raw.Mark}

func giveFact(d bson.Raw) (bson.Raw, error) {
	if slices.Contains(ownFacts, text(d, "_id")) {
		return nil, nil
	}
	return d, nil
}

func takeFact(d bson.Raw) (bson.D, error) {
	f, err := decoded(d, func(f raw.Fact) []string { return []string{f.Name} })
	if err == nil && slices.Contains(ownFacts, f.Name) {
		err = errs.New(errs.Corrupt, opPut, "the store alone sets "+f.Name)
	}
	return bson.D{{Key: "_id", Value: f.Name}, {Key: "value", Value: f.Value}}, err
}
