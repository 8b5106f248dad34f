package main

import (
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/errs"
)

func auditCommand() *cobra.Command {
	cols := columns("time=timestamp", "action=action", "resource=resource_id", "actor=actor_id", "status=status", "address=ip_address", "changes=changes")
	cmd := group("audit", "Read and verify the audit trail",
		call{use: "list", short: "List entries, newest first", args: cobra.NoArgs, path: at("v1", "organizations", "audit", "logs"), cols: cols,
			flags: func(c *cobra.Command) {
				auditFlags(c)
				c.Flags().Int("limit", 100, "how many at most (1 to 1000)")
				c.Flags().Int("skip", 0, "leave out so many of the newest")
			},
			query: func(c *cobra.Command) url.Values {
				q := auditQuery(c)
				for _, name := range []string{"limit", "skip"} {
					q.Set(name, c.Flags().Lookup(name).Value.String())
				}
				return q
			},
			then: func(cmd *cobra.Command, _ *client.Client, a client.Object) error { return table(cmd, a, cols) }},
		call{use: "get ID", short: "Show an entry", args: cobra.ExactArgs(1), path: at("v1", "organizations", "audit", "logs"), cols: cols},
		call{use: "head", short: "Show where the trail ends; keep it elsewhere, for verify", args: cobra.NoArgs, path: at("v1", "organizations", "audit", "head"),
			cols: columns("head=head", "time=time")},
		call{use: "verify", short: "Find out whether anything in the trail was changed", args: cobra.NoArgs, path: at("v1", "organizations", "audit", "verify"),
			flags: func(c *cobra.Command) {
				c.Flags().String("head", "", "`SEQUENCE:MAC` that was kept elsewhere: nothing up to it may have changed or be missing")
			},
			query: func(c *cobra.Command) url.Values {
				head, _ := c.Flags().GetString("head")
				return url.Values{"head": {head}}
			},
			then: verdict},
		call{use: "settings", short: "Show what is audited", args: cobra.NoArgs, path: at("v1", "organizations", "audit", "settings"),
			cols: columns("reads=read_auditing_enabled")},
		call{use: "set", short: "Decide what is audited", args: cobra.NoArgs, method: http.MethodPatch, path: at("v1", "organizations", "audit", "settings"),
			cols:  columns("reads=read_auditing_enabled"),
			flags: func(c *cobra.Command) { c.Flags().Bool("reads", false, "whether reading buckets is audited too") },
			body: func(c *cobra.Command, _ []string) (any, error) {
				return given(c, map[string]string{"reads": "read_auditing_enabled"}), nil
			}},
	)
	export := &cobra.Command{Use: "export", Short: "Write the trail as JSON lines, oldest first", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		body, err := c.Stream(cmd.Context(), client.Path("v1", "organizations", "audit", "export"), auditQuery(cmd))
		if err != nil {
			return err
		}
		defer body.Close()
		if _, err = io.Copy(cmd.OutOrStdout(), body); err != nil {
			return errs.Wrap(err, errs.Unavailable, "audit export", "the export was cut off: it is not complete")
		}
		return nil
	}}
	auditFlags(export)
	cmd.AddCommand(export)
	return cmd
}

var auditFilters = []string{"resource-type", "resource-id", "actor-id", "action", "start", "end"}

func auditFlags(c *cobra.Command) {
	for _, f := range auditFilters {
		c.Flags().String(f, "", "only of this "+f)
	}
}

func auditQuery(c *cobra.Command) url.Values {
	q := url.Values{}
	for _, f := range auditFilters {
		if v, _ := c.Flags().GetString(f); v != "" {
			q.Set(underscored(f), v)
		}
	}
	return q
}

// verdict shows a verification; a trail that was changed is a failure.
func verdict(cmd *cobra.Command, _ *client.Client, answer client.Object) error {
	if err := show(cmd, answer, columns("valid=valid", "message=message", "verified=verified", "pruned=pruned", "head=end.head")); err != nil {
		return err
	}
	if valid, _ := answer["valid"].(bool); !valid {
		message, _ := answer["message"].(string)
		return errs.New(errs.Corrupt, "audit verify", message)
	}
	return nil
}
