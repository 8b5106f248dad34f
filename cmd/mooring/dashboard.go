package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mooring/internal/config"
	"mooring/internal/id"
	"mooring/internal/web"
)

// dashboardCommand prints a link for signing in: who may open the data directory
// needs no key for it.
func dashboardCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "dashboard [ORGANIZATION]", Short: "Print a link that signs a browser in to the dashboard, once (for the operator of a data directory)", Args: cobra.MaximumNArgs(1)}
	settings := config.Flags(cmd.Flags())
	cmd.Flags().Bool("json", false, "print the link as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := order{Do: "dashboard"}
		if len(args) > 0 {
			o.Org = id.Org(args[0])
		}
		return operate(cmd, settings, o)
	}
	return cmd
}

// signInLink makes a link for an organization's admin.
func (a *app) signInLink(ctx context.Context, org id.Org) (string, error) {
	token, _, err := a.access.Link(ctx, org)
	if err != nil {
		return "", err
	}
	base := a.url
	if base == "" { // no server runs: where it would
		base = a.settings.URL(a.settings.Listen)
	}
	return strings.TrimSuffix(base, "/") + web.LinkPath + token.Reveal(), nil
}
