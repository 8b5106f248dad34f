package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"mooring/internal/config"
	"mooring/internal/datadir"
	"mooring/internal/errs"
	"mooring/internal/store"
	"mooring/internal/store/mongo"
	"mooring/internal/store/sqlite"
	"mooring/internal/store/system"
)

// opened is a store and what of it crosses organizations.
type opened struct {
	store.Store
	system system.System
	lock   *os.File // of the data directory, where the store itself does not hold it
}

// openStore opens the store of a process. Each process has a data directory of
// its own, also on a shared store: for scratch files and its socket.
func openStore(ctx context.Context, settings *config.Server) (*opened, error) {
	if !settings.Shared() {
		s, err := sqlite.Open(ctx, sqlite.Options{Dir: settings.DataDir})
		if err != nil {
			return nil, err
		}
		return &opened{Store: s, system: s.System()}, nil
	}
	lock, err := datadir.Lock(settings.DataDir)
	if err != nil {
		return nil, err
	}
	s, err := mongo.Open(ctx, mongo.Options{URI: settings.StoreURI})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &opened{Store: s, system: s.System(), lock: lock}, nil
}

// Close implements store.Store.
func (o *opened) Close() error {
	err := o.Store.Close()
	if o.lock != nil {
		err = errors.Join(err, o.lock.Close())
	}
	return err
}

// notInitialised is what a process says that finds nothing in a shared store.
func notInitialised(settings *config.Server) error {
	return errs.New(errs.Conflict, "store", "the store "+settings.StoreAddress()+" is not initialised: run `mooring init` with the same settings, once")
}

// keyNotice says where a start or `mooring init` on this data directory left the
// admin key, or "" when it did not.
func keyNotice(settings *config.Server) string {
	file := filepath.Join(settings.DataDir, adminKey)
	if _, err := os.Stat(file); err != nil {
		return ""
	}
	return "admin key: " + file + "\n"
}
