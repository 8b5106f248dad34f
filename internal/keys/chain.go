package keys

import (
	"context"
	"crypto/rand"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/audit"
	"mooring/internal/errs"
)

// chainName is the fact that holds the key of the audit trails, wrapped by the
// master key as a data key is: it stays the same when the master key changes.
const chainName = "audit_key"

type wrappedKey struct {
	KeyMaterial []byte   `bson:"keyMaterial"`
	MasterKey   bson.Raw `bson:"masterKey"`
}

// OpenChain opens the key of the audit trails. A store without one is
// errs.NotFound: a new one gets it with BeginChain.
func OpenChain(ctx context.Context, f Facts, master csfle.MasterKey) (*audit.Chain, error) {
	_, key, err := readChain(ctx, f, master)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return audit.NewChain(key), nil
}

func readChain(ctx context.Context, f Facts, master csfle.MasterKey) (raw, key []byte, err error) {
	const op = "keys.audit"
	if raw, err = f.Meta(ctx, chainName); err != nil {
		return nil, nil, err
	}
	if raw == nil {
		return nil, nil, errs.New(errs.NotFound, op, "the store has no key for its audit trails")
	}
	var w wrappedKey
	if err := bson.Unmarshal(raw, &w); err != nil {
		return nil, nil, errs.Wrap(err, errs.Corrupt, op, "the key of the audit trail can't be read")
	}
	if key, err = master.Unwrap(ctx, w.KeyMaterial, w.MasterKey); err != nil {
		return nil, nil, errs.Wrap(err, errs.KindOf(err), op, "the key of the audit trail can't be unwrapped")
	}
	return raw, key, nil
}

// BeginChain makes the key of a store that holds nothing yet. Anywhere else a new
// key would begin trails that can't be told from what was done to the old.
func BeginChain(ctx context.Context, f Facts, master csfle.MasterKey) (*audit.Chain, error) {
	key := make([]byte, 96)
	defer clear(key)
	_, _ = rand.Read(key) // never fails
	err := wrapChain(ctx, f, master, nil, key)
	if errs.Is(err, errs.Conflict) { // another process was first
		return OpenChain(ctx, f, master)
	}
	if err != nil {
		return nil, err
	}
	return audit.NewChain(key), nil
}

func wrapChain(ctx context.Context, f Facts, master csfle.MasterKey, old, key []byte) error {
	material, doc, err := master.Wrap(ctx, key)
	if err != nil {
		return err
	}
	raw, err := bson.Marshal(wrappedKey{material, doc})
	if err != nil {
		return err
	}
	return f.SetMeta(ctx, chainName, old, raw)
}

// rewrapChain wraps the key of the audit trails by another master key, unless it
// is so already.
func rewrapChain(ctx context.Context, f Facts, both, to csfle.MasterKey) error {
	for {
		_, key, err := readChain(ctx, f, to)
		clear(key)
		if !errs.Is(err, errs.Corrupt) { // wrapped by it already, or no answer
			return err
		}
		raw, key, err := readChain(ctx, f, both)
		if err != nil {
			return err
		}
		err = wrapChain(ctx, f, to, raw, key)
		clear(key)
		if !errs.Is(err, errs.Conflict) {
			return err
		}
	}
}
