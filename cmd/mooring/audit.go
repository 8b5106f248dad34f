package main

import (
	"net/url"

	"github.com/spf13/cobra"
)

func auditCommand() *cobra.Command {
	cols := columns("time=timestamp", "action=action", "resource=resource_id", "actor=actor_id", "status=status", "address=ip_address", "changes=changes")
	filters := []string{"resource-type", "resource-id", "actor-id", "action", "start", "end"}
	return group("audit", "Read the audit trail",
		call{use: "list", short: "List entries, newest first", args: cobra.NoArgs, path: at("v1", "organizations", "audit", "logs"), list: true, cols: cols,
			flags: func(c *cobra.Command) {
				for _, f := range filters {
					c.Flags().String(f, "", "only of this "+f)
				}
			},
			query: func(c *cobra.Command) url.Values {
				q := url.Values{}
				for _, f := range filters {
					if v, _ := c.Flags().GetString(f); v != "" {
						q.Set(underscored(f), v)
					}
				}
				return q
			}},
		call{use: "get ID", short: "Show an entry", args: cobra.ExactArgs(1), path: at("v1", "organizations", "audit", "logs"), cols: cols},
	)
}
