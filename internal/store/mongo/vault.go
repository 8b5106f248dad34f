package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
)

// vault keeps data keys as a key vault of the official drivers does: the
// documents carry no fields of ours.
type vault struct{ s *Store }

var _ csfle.KeyVault = vault{}

// Get implements csfle.KeyVault.
func (v vault) Get(ctx context.Context, i csfle.KeyID) (csfle.KeyDocument, error) {
	return v.one(ctx, byID(keyID(i)))
}

// GetByAltName implements csfle.KeyVault.
func (v vault) GetByAltName(ctx context.Context, name string) (csfle.KeyDocument, error) {
	return v.one(ctx, bson.D{{Key: "keyAltNames", Value: name}})
}

func keyID(i csfle.KeyID) bson.Binary { return bson.Binary{Subtype: bson.TypeBinaryUUID, Data: i[:]} }

func (v vault) one(ctx context.Context, filter bson.D) (csfle.KeyDocument, error) {
	const op = "store.key_vault.get"
	found, err := v.s.first(ctx, op, "data_keys", find{filter: filter})
	if err == nil && found == nil {
		err = notFound(op, "data key")
	}
	if err != nil {
		return csfle.KeyDocument{}, err
	}
	return csfle.ParseKeyDocument(found)
}

// Insert implements csfle.KeyVault.
func (v vault) Insert(ctx context.Context, d csfle.KeyDocument) error {
	const op = "store.key_vault.insert"
	if _, err := d.AltName(); err != nil {
		return err
	}
	b, err := d.MarshalBSON()
	if err != nil {
		return err
	}
	fields, err := fieldsOf(b)
	if err != nil {
		return err
	}
	err = v.s.insert(ctx, op, "data_keys", fields)
	if errs.Is(err, errs.AlreadyExists) {
		return errs.Wrap(err, errs.AlreadyExists, op, "a data key with this id or name exists")
	}
	return err
}

// Replace implements csfle.KeyVault.
func (v vault) Replace(ctx context.Context, old []byte, d csfle.KeyDocument) error {
	const op = "store.key_vault.replace"
	if err := d.Validate(); err != nil {
		return err
	}
	b, err := d.MarshalBSON()
	if err != nil {
		return err
	}
	set := bson.D{}
	for _, name := range []string{"keyMaterial", "masterKey", "updateDate"} {
		set = append(set, bson.E{Key: name, Value: bson.Raw(b).Lookup(name)})
	}
	found, err := v.s.updateOne(ctx, op, "data_keys", append(byID(keyID(d.ID)), bson.E{Key: "keyMaterial", Value: old}), bson.D{{Key: "$set", Value: set}})
	if err != nil || found {
		return err
	}
	if _, err := v.Get(ctx, d.ID); err != nil {
		return err
	}
	return errs.New(errs.Conflict, op, "the data key was wrapped anew by somebody else")
}

// Delete implements csfle.KeyVault.
func (v vault) Delete(ctx context.Context, i csfle.KeyID) error {
	const op = "store.key_vault.delete"
	n, err := v.s.remove(ctx, op, "data_keys", byID(keyID(i)))
	if err == nil && n == 0 {
		err = notFound(op, "data key")
	}
	return err
}

// List implements csfle.KeyVault. Each key has one name, so that conditions on
// the names of a key are conditions on that one.
func (v vault) List(ctx context.Context, prefix, after string, limit int) ([]csfle.KeyDocument, error) {
	const op = "store.key_vault.list"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	filter := bson.D{{Key: "keyAltNames", Value: bson.D{{Key: "$gt", Value: after}}}}
	if prefix != "" {
		filter = also(filter, bson.D{begins("keyAltNames", prefix)})
	}
	found, err := v.s.find(ctx, op, "data_keys", find{filter: filter, sort: bson.D{{Key: "keyAltNames", Value: 1}}, limit: limit})
	if err != nil {
		return nil, err
	}
	var out []csfle.KeyDocument
	for _, r := range found {
		d, err := csfle.ParseKeyDocument(r)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}
