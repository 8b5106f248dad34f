package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	accessservice "mooring/internal/access/service"
	"mooring/internal/backup"
	"mooring/internal/client"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
)

// firstName is the fact that says which organization of a shared store is the
// first. Who sets it has founded it.
const firstName = "first_organization"

func initCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "Initialise a store that several processes share, once", Args: cobra.NoArgs,
		Long: "Initialise a MongoDB store: an organization, an admin user, the namespace default and an admin key, which is\n" +
			"written to DATA-DIR/admin.key. It may run again, or twice at once: a store is initialised once.\n" +
			"The master key must be there already: 96 random bytes in the file of --master-key-file, which only you can read.",
	}
	settings := config.Flags(cmd.Flags())
	var name, email string
	cmd.Flags().StringVar(&name, "organization", "default", "`name` of the first organization")
	cmd.Flags().StringVar(&email, "email", "admin@localhost.invalid", "`address` of its admin user")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := settings.Validate(); err != nil {
			return err
		}
		if !settings.Shared() {
			return errs.New(errs.Invalid, "init", "only a store on MongoDB needs this: a data directory is initialised by the first start")
		}
		said, err := initialise(cmd.Context(), settings, name, email)
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), said)
		}
		return err
	}
	return cmd
}

// initialise makes what a shared store begins with, and returns what to say.
func initialise(ctx context.Context, settings *config.Server, name, email string) (said string, err error) {
	s, err := openStore(ctx, settings)
	if err != nil {
		return "", err
	}
	defer func() { _ = s.Close() }()
	if err := backup.Refuse(ctx, s.system); err != nil {
		return "", err
	}
	key, err := initialKey(ctx, s.system, settings)
	if err != nil {
		return "", err
	}
	chain, err := auditChain(ctx, s.system, key)
	if err != nil {
		return "", err
	}
	s.system.ChainAudit(chain)
	file := filepath.Join(settings.DataDir, adminKey)
	first, fresh, err := foundFirst(ctx, s, name, email, file)
	switch {
	case err != nil:
		return "", err
	case !fresh:
		return "The store " + settings.StoreAddress() + " is initialised already: its first organization is " + string(first) + ".", nil
	}
	return "The store " + settings.StoreAddress() + " is initialised: its first organization is " + string(first) + ", whose admin key is in " + file + ".", nil
}

// foundFirst makes the first organization of a store, unless there is one, and
// reports whether it did. The admin key goes to a file.
func foundFirst(ctx context.Context, s *opened, name, email, file string) (first id.Org, fresh bool, err error) {
	access := &accessservice.Service{Store: s, System: s.system, Now: time.Now}
	decided, err := s.system.Meta(ctx, firstName)
	if err != nil {
		return "", false, err
	}
	if decided != nil {
		return id.Org(decided), false, access.Complete(ctx, id.Org(decided), name)
	}
	orgs, err := s.system.Organizations(ctx, "", 1)
	if err != nil {
		return "", false, err
	}
	if len(orgs) > 0 { // of a store that was copied here
		return orgs[0].ID, false, nil
	}
	f, err := access.FoundOnce(ctx, name, email,
		func(_ id.Org, key secret.String) error { return client.WriteFile(file, []byte(key.Reveal()+"\n")) },
		func(ctx context.Context, org id.Org) error { return s.system.SetMeta(ctx, firstName, nil, []byte(org)) })
	if !errs.Is(err, errs.Conflict) {
		return f.Organization.ID, true, err
	}
	if err := os.Remove(file); err != nil { // another process was first: this key opens nothing
		return "", false, err
	}
	decided, err = s.system.Meta(ctx, firstName)
	return id.Org(decided), false, err
}
