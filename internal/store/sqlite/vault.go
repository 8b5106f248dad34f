package sqlite

import (
	"bytes"
	"context"

	"mooring/csfle"
	"mooring/internal/errs"
)

// vault keeps data keys. Deleted and replaced keys are overwritten on disk.
type vault struct{ s *Store }

var _ csfle.KeyVault = vault{}

// Get implements csfle.KeyVault.
func (v vault) Get(ctx context.Context, i csfle.KeyID) (csfle.KeyDocument, error) {
	return v.one(ctx, "SELECT doc FROM data_keys WHERE id = ?", i[:])
}

// GetByAltName implements csfle.KeyVault.
func (v vault) GetByAltName(ctx context.Context, name string) (csfle.KeyDocument, error) {
	return v.one(ctx, "SELECT doc FROM data_keys WHERE name = ?", name)
}

func (v vault) one(ctx context.Context, query string, args ...any) (csfle.KeyDocument, error) {
	const op = "store.key_vault.get"
	found, err := documents[csfle.KeyDocument](ctx, v.s, op, query, args...)
	switch {
	case err != nil:
		return csfle.KeyDocument{}, err
	case len(found) == 0:
		return csfle.KeyDocument{}, notFound(op, "data key")
	}
	return found[0], nil
}

// Insert implements csfle.KeyVault.
func (v vault) Insert(ctx context.Context, d csfle.KeyDocument) error {
	const op = "store.key_vault.insert"
	name, err := d.AltName()
	if err != nil {
		return err
	}
	b, err := d.MarshalBSON()
	if err != nil {
		return err
	}
	err = v.s.w.write(ctx, op, interactive, func(t *tx) error {
		_, err := t.exec("INSERT INTO data_keys (id, name, doc) VALUES (?, ?, ?)", d.ID[:], name, b)
		return err
	})
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
	return v.overwriting(ctx, op, func(t *tx) error {
		var b []byte
		found, err := t.row("SELECT doc FROM data_keys WHERE id = ?", []any{d.ID[:]}, &b)
		if err != nil {
			return err
		}
		if !found {
			return notFound(op, "data key")
		}
		next, err := csfle.ParseKeyDocument(b)
		if err != nil {
			return err
		}
		if !bytes.Equal(next.KeyMaterial, old) {
			return errs.New(errs.Conflict, op, "the data key was wrapped anew by somebody else")
		}
		next.KeyMaterial, next.MasterKey, next.UpdateDate = d.KeyMaterial, d.MasterKey, d.UpdateDate
		if b, err = next.MarshalBSON(); err != nil {
			return err
		}
		_, err = t.exec("UPDATE data_keys SET doc = ? WHERE id = ?", b, d.ID[:])
		return err
	})
}

// Delete implements csfle.KeyVault.
func (v vault) Delete(ctx context.Context, i csfle.KeyID) error {
	const op = "store.key_vault.delete"
	return v.overwriting(ctx, op, func(t *tx) error {
		n, err := t.exec("DELETE FROM data_keys WHERE id = ?", i[:])
		if err == nil && n == 0 {
			return notFound(op, "data key")
		}
		return err
	})
}

// overwriting runs a write with SQLite's secure_delete on, and empties the log
// after it, so that neither file keeps a key that is gone.
func (v vault) overwriting(ctx context.Context, op string, do func(*tx) error) error {
	return v.s.w.write(ctx, op, interactive, func(t *tx) error {
		var mode int
		if _, err := t.row("PRAGMA secure_delete = ON", nil, &mode); err != nil {
			return err
		}
		err := do(t)
		t.forget = t.forget || err == nil
		if _, e := t.row("PRAGMA secure_delete = FAST", nil, &mode); err == nil {
			err = e
		}
		return err
	})
}

// List implements csfle.KeyVault.
func (v vault) List(ctx context.Context, prefix, after string, limit int) ([]csfle.KeyDocument, error) {
	const op = "store.key_vault.list"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	w := &conditions{}
	w.add("name >= ? AND name > ?", prefix, after)
	if end := afterPrefix(prefix); end != "" {
		w.add("name < ?", end)
	}
	return documents[csfle.KeyDocument](ctx, v.s, op, "SELECT doc FROM data_keys"+w.String()+" ORDER BY name LIMIT ?", append(w.args, limit)...)
}
