package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/store/system"
)

const checkName = "master_key_check"

// masterKey loads the master key and proves that it is the one this store was
// begun with. A new, empty store gets a new key unless its file is there
// already (a start that was cut short, or an operator who brings one).
func masterKey(ctx context.Context, sys system.System, file string) (csfle.MasterKey, error) {
	stored, err := sys.Meta(ctx, checkName)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return firstKey(ctx, sys, file)
	}
	var check csfle.MasterKeyCheck
	if err := bson.Unmarshal(stored, &check); err != nil {
		return nil, errs.Wrap(err, errs.Corrupt, "master key", "the store's check value can't be read")
	}
	key, err := csfle.LoadLocalMasterKey(file)
	if errs.Is(err, errs.NotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil, check.Verify(ctx, nil)
	}
	if err != nil {
		return nil, err
	}
	return key, check.Verify(ctx, key)
}

func firstKey(ctx context.Context, sys system.System, file string) (csfle.MasterKey, error) {
	orgs, err := sys.Organizations(ctx, "", 1)
	if err != nil {
		return nil, err
	}
	if len(orgs) > 0 {
		return nil, errs.New(errs.Corrupt, "master key", "the store holds organizations but no check value for its master key: restore it from a backup")
	}
	key, err := createOrLoad(file)
	if err != nil {
		return nil, err
	}
	check, err := csfle.NewMasterKeyCheck(ctx, key)
	if err != nil {
		return nil, err
	}
	raw, err := bson.Marshal(check)
	if err != nil {
		return nil, err
	}
	return key, sys.SetMeta(ctx, checkName, nil, raw)
}

func createOrLoad(file string) (*csfle.LocalMasterKey, error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return csfle.CreateLocalMasterKey(file)
	}
	return csfle.LoadLocalMasterKey(file)
}

// auditKeyName is the fact that holds the key of the audit trails, wrapped by the
// master key as a data key is: it stays the same when the master key changes.
const auditKeyName = "audit_key"

type wrappedKey struct {
	KeyMaterial []byte   `bson:"keyMaterial"`
	MasterKey   bson.Raw `bson:"masterKey"`
}

// auditChain opens the key of the audit trails, or makes it for a new store.
func auditChain(ctx context.Context, sys system.System, master csfle.MasterKey) (*audit.Chain, error) {
	stored, err := sys.Meta(ctx, auditKeyName)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return firstChain(ctx, sys, master)
	}
	var w wrappedKey
	if err := bson.Unmarshal(stored, &w); err != nil {
		return nil, errs.Wrap(err, errs.Corrupt, "audit key", "the key of the audit trail can't be read")
	}
	key, err := master.Unwrap(ctx, w.KeyMaterial, w.MasterKey)
	if err != nil {
		return nil, errs.Wrap(err, errs.KindOf(err), "audit key", "the key of the audit trail can't be unwrapped")
	}
	defer clear(key)
	return audit.NewChain(key), nil
}

// firstChain makes the key of a store that holds nothing yet. Anywhere else a
// new key would begin trails that can't be told from what was done to the old.
func firstChain(ctx context.Context, sys system.System, master csfle.MasterKey) (*audit.Chain, error) {
	orgs, err := sys.Organizations(ctx, "", 1)
	if err != nil {
		return nil, err
	}
	if len(orgs) > 0 {
		return nil, errs.New(errs.Corrupt, "audit key", "the store holds organizations but not the key of their audit trails, which somebody must have removed: restore the store from a backup")
	}
	key := make([]byte, 96)
	defer clear(key)
	_, _ = rand.Read(key) // never fails
	material, doc, err := master.Wrap(ctx, key)
	if err != nil {
		return nil, err
	}
	raw, err := bson.Marshal(wrappedKey{material, doc})
	if err != nil {
		return nil, err
	}
	if err := sys.SetMeta(ctx, auditKeyName, nil, raw); err != nil {
		if errs.Is(err, errs.Conflict) { // another process was first
			return auditChain(ctx, sys, master)
		}
		return nil, err
	}
	return audit.NewChain(key), nil
}
