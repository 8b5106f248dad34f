package main

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"mooring/internal/client"
)

var keyColumns = columns("id=key_id", "name=name", "prefix=key_prefix", "permissions=permissions", "status=status", "expires=expires_at", "last used=last_used_at")

func underscored(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

var keyFields = map[string]string{"permission": "permissions", "expires-at": "expires_at", "description": "description", "rate-limit": "rate_limit_override", "name": "name"}

func keyFlags(c *cobra.Command) {
	c.Flags().StringSlice("permission", nil, "read, write, delete or admin (default read)")
	c.Flags().String("expires-at", "", "RFC 3339 time")
	c.Flags().String("description", "", "what it is for")
	c.Flags().Int("rate-limit", 0, "requests a minute, instead of the server's limit")
}

// keyCommand has the API's operations on keys, and the operator's own
// reset-admin, which works on the data directory.
func keyCommand() *cobra.Command {
	path := func(rest ...string) func(*cobra.Command, []string) string {
		return func(_ *cobra.Command, a []string) string {
			p := []string{"v1", "organizations", "users", a[0], "api-keys"}
			if len(a) > 1 {
				p = append(p, a[1])
			}
			return client.Path(append(p, rest...)...)
		}
	}
	secret := func(cmd *cobra.Command, _ *client.Client, a client.Object) error {
		return show(cmd, a, append(keyColumns, columns("key (shown once)=key")...))
	}
	cmd := group("key", "Manage API keys",
		call{use: "list EMAIL", short: "List a user's keys", args: cobra.ExactArgs(1), path: path(), cols: keyColumns,
			flags: func(c *cobra.Command) { c.Flags().Bool("include-revoked", false, "revoked ones too") },
			query: func(c *cobra.Command) url.Values {
				v, _ := c.Flags().GetBool("include-revoked")
				return url.Values{"include_revoked": {map[bool]string{true: "true", false: "false"}[v]}}
			},
			then: func(cmd *cobra.Command, _ *client.Client, a client.Object) error { return table(cmd, a, keyColumns) }},
		call{use: "create EMAIL NAME", short: "Make a key; it is shown this once; --from takes its scopes", args: cobra.ExactArgs(2), method: http.MethodPost, then: secret,
			path: func(_ *cobra.Command, a []string) string {
				return client.Path("v1", "organizations", "users", a[0], "api-keys")
			},
			flags: keyFlags,
			body: func(c *cobra.Command, a []string) (any, error) {
				body := given(c, keyFields)
				body["name"] = a[1]
				return body, nil
			}},
		call{use: "update EMAIL NAME", short: "Change a key; --from takes its scopes", args: cobra.ExactArgs(2), method: http.MethodPatch, path: path(), cols: keyColumns,
			flags: func(c *cobra.Command) {
				keyFlags(c)
				c.Flags().String("name", "", "another name")
			},
			body: func(c *cobra.Command, _ []string) (any, error) { return given(c, keyFields), nil }},
		call{use: "rotate EMAIL NAME", short: "Replace a key; the old one stops working", args: cobra.ExactArgs(2), method: http.MethodPost, path: path("rotate"), then: secret},
		call{use: "revoke EMAIL NAME", short: "End a key", args: cobra.ExactArgs(2), method: http.MethodDelete, path: path(), cols: columns("message=message")},
	)
	clientFlags(cmd)
	cmd.AddCommand(resetAdminCommand())
	return cmd
}
