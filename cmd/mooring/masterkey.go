package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
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
