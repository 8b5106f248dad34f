package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mooring/internal/backup"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/store/mongo"
	"mooring/internal/store/raw"
	"mooring/internal/store/sqlite"
)

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Write all records into one file, while the server runs or not (for the operator)",
		Long: "Write all records into one file, while the server runs or not. The file holds neither the master key nor the content of buckets:\n" +
			"see docs/backup.md for what else a restore needs.",
		Args: cobra.ExactArgs(1),
	}
	settings := config.Flags(cmd.Flags())
	cmd.Flags().Bool("json", false, "print what the backup holds as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := settings.Validate(); err != nil {
			return err
		}
		src, end, err := openSource(cmd.Context(), settings)
		if err != nil {
			return err
		}
		defer end()
		var m backup.Manifest
		save := func(w io.Writer) (err error) {
			m, err = backup.Write(cmd.Context(), src, w, version, time.Now(), progress(cmd))
			return err
		}
		if args[0] != "-" {
			if err := saveFile(args[0], save); err != nil {
				return err
			}
			return showManifest(cmd, cmd.OutOrStdout(), m, "backed up to "+args[0])
		}
		if f, ok := cmd.OutOrStdout().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return errs.New(errs.Invalid, "backup", "a backup is not for a terminal: name a file, or send it on")
		}
		if err := save(cmd.OutOrStdout()); err != nil {
			return err
		}
		return showManifest(cmd, cmd.ErrOrStderr(), m, "backed up")
	}
	return cmd
}

// openSource opens the store of the settings to be read as it is.
func openSource(ctx context.Context, settings *config.Server) (raw.Source, func(), error) {
	if settings.Shared() {
		s, err := mongo.Open(ctx, mongo.Options{URI: settings.StoreURI})
		if err != nil {
			return nil, nil, err
		}
		return s.Raw(), func() { _ = s.Close() }, backup.Refuse(ctx, s.System())
	}
	s, err := sqlite.OpenSnapshot(ctx, settings.DataDir)
	if err != nil {
		return nil, nil, err
	}
	return s, func() { _ = s.Close() }, nil
}

// saveFile writes a file that only its owner can read. It stands under its name
// once it is whole and on the disk; one that stands there already is left alone.
func saveFile(name string, save func(io.Writer) error) (err error) {
	unsaved := func(err error) error {
		return errs.Wrap(err, errs.Unavailable, "backup", name+" can't be written")
	}
	if _, err := os.Lstat(name); err == nil {
		return errs.New(errs.AlreadyExists, "backup", name+" exists already")
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return unsaved(err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := save(f); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return unsaved(err)
	}
	if err := os.Link(f.Name(), name); err != nil { // unlike a rename it replaces nothing
		return unsaved(os.Rename(f.Name(), name))
	}
	return unsaved(os.Remove(f.Name()))
}

func showManifest(cmd *cobra.Command, w io.Writer, m backup.Manifest, did string) error {
	if wantsJSON(cmd) {
		return printJSON(w, m)
	}
	_, err := fmt.Fprintf(w, "%s: %d documents of a %s store, as of %s; the master key that opens them has the fingerprint %s and is not in it\n",
		did, m.Documents(), m.Store, m.CreatedAt.Format(time.RFC3339), m.MasterKey)
	return err
}

// progress tells on standard error how far a long work is.
func progress(cmd *cobra.Command) backup.Progress {
	return func(c raw.Collection, n int64) { fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d\n", c, n) }
}
