package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mooring/csfle"
	"mooring/internal/backup"
	"mooring/internal/config"
	"mooring/internal/datadir"
	"mooring/internal/errs"
	"mooring/internal/store/mongo"
	"mooring/internal/store/sqlite"
)

func storeCommand() *cobra.Command {
	parent := parentCommand("store", "Move a store (for the operator)")
	cmd := &cobra.Command{
		Use:   "copy --from DATA-DIR",
		Short: "Copy the store of a data directory to MongoDB; no server may run on either",
		Long: "Copy the store of a data directory to the MongoDB that MOORING_STORE_URI or --store-uri-file names, and compare both. A copy that was\n" +
			"interrupted is run again. Leases and sessions stay behind. See docs/backup.md.",
		Args: cobra.NoArgs,
	}
	settings := config.Flags(cmd.Flags())
	from := cmd.Flags().String("from", "", "data `directory` to copy")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := settings.Validate(); err != nil {
			return err
		}
		if *from == "" || !settings.Shared() {
			return errs.New(errs.Invalid, "store copy", "name the data directory by --from, and the MongoDB to copy to by MOORING_STORE_URI or --store-uri-file")
		}
		if err := copyStore(cmd, settings, *from); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is copied to %s and compared: serve it there, with the same master key and content, and not from the directory any more\n", *from, settings.StoreAddress())
		return err
	}
	parent.AddCommand(cmd)
	return parent
}

func copyStore(cmd *cobra.Command, settings *config.Server, dir string) (err error) {
	ctx := cmd.Context()
	if _, err := sqlite.Peek(ctx, dir); err != nil {
		return err
	}
	lock, err := datadir.Lock(dir) // nobody writes meanwhile
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	src, err := sqlite.OpenSnapshot(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	check, err := backup.ReadCheck(ctx, src)
	if err != nil {
		return err
	}
	missing, err := fits(ctx, settings, check)
	if err != nil {
		return err
	}
	if missing {
		return errs.New(errs.Invalid, "store copy", "there is no master key in "+settings.MasterKeyFile+": the copy will need that of the directory")
	}
	return withMongo(ctx, settings, func(to *mongo.Store) error {
		if _, err := backup.Begin(ctx, to.System(), to.Raw(), "copy of "+identity(check), false); err != nil {
			return err
		}
		if err := backup.Copy(ctx, src, to.Raw(), progress(cmd)); err != nil {
			return err
		}
		return backup.End(ctx, to.System())
	})
}

// identity tells stores apart: no other has the same check value.
func identity(c csfle.MasterKeyCheck) string { return hex.EncodeToString(c.Digest) }

func withMongo(ctx context.Context, settings *config.Server, do func(*mongo.Store) error) error {
	s, err := mongo.Open(ctx, mongo.Options{URI: settings.StoreURI})
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
