package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"mooring/csfle"
	"mooring/csfle/awskms"
	"mooring/csfle/azurekms"
	"mooring/csfle/gcpkms"
	"mooring/internal/audit"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/keys"
	"mooring/internal/store/system"
)

// masterKey opens the master key that is given and proves that it is the store's.
// A new, empty store gets a new key unless its file is there already (a start
// that was cut short, or an operator who brings one) or a key service has it.
func masterKey(ctx context.Context, sys system.System, settings *config.Server) (*keys.Master, error) {
	begun, err := keys.Begun(ctx, sys)
	if err != nil {
		return nil, err
	}
	if !begun && settings.Shared() {
		return nil, notInitialised(settings)
	}
	if !begun {
		if err := firstKey(ctx, sys, settings); err != nil {
			return nil, err
		}
	}
	var given []csfle.MasterKey
	for _, ref := range []string{settings.MasterKey(), settings.SecondMaster} {
		if ref == "" {
			continue
		}
		key, err := openMasterKey(ctx, ref)
		if errs.Is(err, errs.NotFound) { // what the store expects says more than that a file is missing
			continue
		}
		if err != nil {
			return nil, err
		}
		given = append(given, key)
	}
	return keys.Open(ctx, sys, given...)
}

// initialKey is masterKey for a shared store that may be new: its key is given,
// never made.
func initialKey(ctx context.Context, sys system.System, settings *config.Server) (*keys.Master, error) {
	begun, err := keys.Begun(ctx, sys)
	if err != nil {
		return nil, err
	}
	if !begun {
		if err := holdsNothing(ctx, sys, "no check value for its master key"); err != nil {
			return nil, err
		}
		key, err := openMasterKey(ctx, settings.MasterKey())
		if err != nil {
			return nil, err
		}
		if err := keys.Begin(ctx, sys, key); err != nil {
			return nil, err
		}
	}
	return masterKey(ctx, sys, settings)
}

// openMasterKey opens what an operator names a master key by: a file, or the URI
// of a key in a key service.
func openMasterKey(ctx context.Context, ref string) (csfle.MasterKey, error) {
	if !isURI(ref) {
		return csfle.LoadLocalMasterKey(ref)
	}
	switch {
	case strings.HasPrefix(ref, gcpkms.Scheme):
		o, err := gcpkms.ParseURI(ref)
		if err != nil {
			return nil, err
		}
		return gcpkms.New(ctx, o)
	case strings.HasPrefix(ref, azurekms.Scheme):
		o, err := azurekms.ParseURI(ref)
		if err != nil {
			return nil, err
		}
		return azurekms.New(o)
	case strings.HasPrefix(ref, awskms.Scheme):
		o, err := awskms.ParseURI(ref)
		if err != nil {
			return nil, err
		}
		return awskms.New(ctx, o)
	}
	return nil, errs.New(errs.Invalid, "master key", "the URI of a master key begins with "+awskms.Scheme+", "+gcpkms.Scheme+" or "+azurekms.Scheme+": see docs/keys.md")
}

func firstKey(ctx context.Context, sys system.System, settings *config.Server) error {
	if err := holdsNothing(ctx, sys, "no check value for its master key"); err != nil {
		return err
	}
	key, err := createOrOpen(ctx, settings.MasterKey())
	if err != nil {
		return err
	}
	return keys.Begin(ctx, sys, key)
}

func holdsNothing(ctx context.Context, sys system.System, missing string) error {
	orgs, err := sys.Organizations(ctx, "", 1)
	if err == nil && len(orgs) > 0 {
		err = errs.New(errs.Corrupt, "master key", "the store holds organizations but "+missing+", which somebody must have removed: restore the store from a backup")
	}
	return err
}

func createOrOpen(ctx context.Context, ref string) (csfle.MasterKey, error) {
	if _, err := os.Stat(ref); !isURI(ref) && errors.Is(err, fs.ErrNotExist) {
		return csfle.CreateLocalMasterKey(ref)
	}
	return openMasterKey(ctx, ref)
}

// auditChain opens the key of the audit trails, or makes it for a new store.
func auditChain(ctx context.Context, sys system.System, master csfle.MasterKey) (*audit.Chain, error) {
	chain, err := keys.OpenChain(ctx, sys, master)
	if !errs.Is(err, errs.NotFound) {
		return chain, err
	}
	if err := holdsNothing(ctx, sys, "not the key of their audit trails"); err != nil {
		return nil, err
	}
	return keys.BeginChain(ctx, sys, master)
}
