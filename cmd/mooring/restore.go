package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mooring/csfle"
	"mooring/internal/backup"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/keys"
	"mooring/internal/store/mongo"
	"mooring/internal/store/sqlite"
)

func restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a store what a backup holds; no server may run on it (for the operator)",
		Args:  cobra.ExactArgs(1),
	}
	settings := config.Flags(cmd.Flags())
	replace := cmd.Flags().Bool("replace", false, "restore over a store that holds something, which is then gone")
	cmd.Flags().Bool("json", false, "print what was restored as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := settings.Validate(); err != nil {
			return err
		}
		f, err := os.Open(args[0])
		if err != nil {
			return errs.Wrap(err, errs.NotFound, "restore", args[0]+" can't be read")
		}
		defer f.Close()
		contents, err := backup.Verify(cmd.Context(), f, progress(cmd))
		if err != nil {
			return err
		}
		if err := contents.CheckSchema(map[string]int{sqlite.Kind: sqlite.Schema, mongo.Kind: mongo.Schema}); err != nil {
			return err
		}
		missing, err := fits(cmd.Context(), settings, contents.Check)
		if err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return errs.Wrap(err, errs.Invalid, "restore", args[0]+" can't be read twice: give a file")
		}
		r := &restoring{settings: settings, in: f, contents: contents, replace: *replace, told: progress(cmd), errOut: cmd.ErrOrStderr()}
		if err := r.run(cmd.Context()); err != nil {
			return err
		}
		if missing {
			fmt.Fprintf(cmd.ErrOrStderr(), "the master key is not in a backup: before the start put the one with the fingerprint %s into %s\n", contents.MasterKey, settings.MasterKey())
		}
		return showManifest(cmd, cmd.OutOrStdout(), contents.Manifest, "restored")
	}
	return cmd
}

// fits refuses to restore what the master key at hand will not open. A key that
// is not there yet can still be brought.
func fits(ctx context.Context, settings *config.Server, c csfle.MasterKeyCheck) (missing bool, err error) {
	key, err := openMasterKey(ctx, settings.MasterKey())
	if errs.Is(err, errs.NotFound) || errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, c.Verify(ctx, key)
}

// restoring is a restore under way.
type restoring struct {
	settings *config.Server
	in       io.Reader
	contents backup.Contents
	replace  bool
	told     backup.Progress
	errOut   io.Writer
}

func (r *restoring) run(ctx context.Context) error {
	if !r.settings.Shared() {
		return r.onSQLite(ctx)
	}
	return withMongo(ctx, r.settings, func(s *mongo.Store) error { return r.onMongo(ctx, s) })
}

// onMongo fills a database. A mark keeps processes from serving it before it is
// whole, and keeps what the store that is replaced knew of destroyed keys.
func (r *restoring) onMongo(ctx context.Context, s *mongo.Store) error {
	from := "backup of " + identity(r.contents.Check) + " of " + r.contents.CreatedAt.Format(time.RFC3339Nano)
	mark, err := backup.Begin(ctx, s.System(), s.Raw(), from, r.replace)
	if err != nil {
		return err
	}
	if err := backup.Erase(ctx, s.Raw()); err != nil {
		return err
	}
	if err := backup.Restore(ctx, r.in, r.contents, s.Raw(), r.told); err != nil {
		return err
	}
	if err := r.destroyAgain(ctx, facts{keys.DestroyedName: mark.Destroyed}, s.System(), s.KeyVault()); err != nil {
		return err
	}
	return backup.End(ctx, s.System())
}

func (r *restoring) onSQLite(ctx context.Context) error {
	return sqlite.Rebuild(ctx, sqlite.Options{Dir: r.settings.DataDir}, func(s *sqlite.Store) error {
		former, err := r.former(ctx)
		if err != nil {
			return err
		}
		if err := backup.Restore(ctx, r.in, r.contents, s.Raw(), r.told); err != nil {
			return err
		}
		return r.destroyAgain(ctx, former, s.System(), s.KeyVault())
	})
}

// former is what the store that is replaced says of itself.
func (r *restoring) former(ctx context.Context) (facts, error) {
	f, err := sqlite.Peek(ctx, r.settings.DataDir)
	switch {
	case err != nil && (!r.replace || !errs.Is(err, errs.Corrupt)):
		return nil, err
	case err != nil:
		fmt.Fprintln(r.errOut, "the store that is replaced is damaged: which organizations' keys were destroyed since the backup can't be read from it, so destroy those again")
	case f.Organizations > 0 && !r.replace:
		return nil, errs.New(errs.Conflict, "restore", "the data directory holds a store already: choose another one, or give --replace")
	}
	return f.Facts, nil
}

// destroyAgain destroys the keys that were destroyed before: those that the
// backup lists, and those that the replaced store does.
func (r *restoring) destroyAgain(ctx context.Context, former facts, now keys.Facts, vault csfle.KeyVault) error {
	list, err := keys.ListDestroyed(ctx, former)
	if err != nil {
		return err
	}
	if err := keys.NoteDestroyed(ctx, now, list...); err != nil {
		return err
	}
	n, err := keys.DestroyAgain(ctx, now, vault)
	if n > 0 {
		fmt.Fprintf(r.errOut, "%d data keys of organizations that were destroyed since the backup are destroyed again\n", n)
	}
	return err
}

// facts are those of a store that is not open.
type facts map[string][]byte

// Meta implements keys.Facts.
func (f facts) Meta(_ context.Context, name string) ([]byte, error) { return f[name], nil }

// SetMeta implements keys.Facts.
func (facts) SetMeta(context.Context, string, []byte, []byte) error {
	return errs.New(errs.Internal, "facts", "a store that is replaced is not written to")
}
