package main

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/errs"
)

var connectionColumns = columns("id=connection_id", "name=name", "provider=provider_type", "status=status", "failures=consecutive_failures", "last used=last_used_at", "last error=last_error")

func connectionCommand() *cobra.Command {
	base := []string{"v1", "organizations", "connections"}
	one := func(suffix ...string) func(*cobra.Command, []string) string {
		return func(_ *cobra.Command, args []string) string {
			return client.Path(append(append(base[:3:3], args[0]), suffix...)...)
		}
	}
	status := func(s string) func(*cobra.Command, []string) (any, error) {
		return func(*cobra.Command, []string) (any, error) { return client.Object{"status": s}, nil }
	}
	cmd := group("connection", "Connect storage and watch over connections",
		call{use: "list", short: "List connections, newest first", args: cobra.NoArgs, method: http.MethodPost, path: at(append(base, "list")...), list: true, cols: connectionColumns,
			flags: func(c *cobra.Command) {
				c.Flags().String("provider", "", "only of this provider")
				c.Flags().String("status", "", "only in this state")
				c.Flags().Int("stale-days", 0, "only those never used, or not for so many days")
			},
			body: func(c *cobra.Command, _ []string) (any, error) {
				return given(c, map[string]string{"provider": "provider_type", "status": "status", "stale-days": "stale_days"}), nil
			}},
		call{use: "get ID-OR-NAME", short: "Show a connection", args: cobra.ExactArgs(1), path: one(),
			cols: append(connectionColumns, columns("config=provider_config", "reason=status_reason", "checked=last_checked_at", "next check=next_check_at",
				"expires=credentials_expire_at", "advice=advice", "created=created_at")...)},
		call{use: "authorize PROVIDER", short: "Get a link by which a user connects Google Drive or SharePoint by consenting there", args: cobra.ExactArgs(1), method: http.MethodPost,
			path: func(_ *cobra.Command, args []string) string { return client.Path("v1", "oauth", args[0], "authorize") },
			cols: columns("link (good once, for ten minutes)=url", "expires=expires_at", "provider=provider_type", "client=client"),
			flags: func(c *cobra.Command) {
				c.Flags().String("name", "", "name of the connection to make")
				c.Flags().String("connection", "", "instead of --name: `id or name` of the connection to reconnect")
				c.Flags().String("client", "", "which of the operator's OAuth clients, where there are several")
				c.Flags().String("shared-drive-id", "", "Google Drive: a shared drive rather than the user's own")
				c.Flags().String("site-id", "", "SharePoint: a site rather than the user's OneDrive")
				c.Flags().String("drive-id", "", "SharePoint: a library of the site")
				c.Flags().String("folder-path", "", "SharePoint: a folder of the library")
			},
			body: func(c *cobra.Command, _ []string) (any, error) {
				return given(c, map[string]string{
					"name": "name", "connection": "connection", "client": "client", "shared-drive-id": "shared_drive_id", "site-id": "site_id", "drive-id": "drive_id", "folder-path": "folder_path",
				}), nil
			}},
		call{use: "update ID-OR-NAME", short: "Change a connection's name, description or configuration", args: cobra.ExactArgs(1), method: http.MethodPatch, path: one(), cols: connectionColumns,
			flags: func(c *cobra.Command) {
				c.Flags().String("name", "", "new name")
				c.Flags().String("description", "", "new description")
				watchFlags(c)
				configFlag(c, "-")
				c.Flags().Bool("test", true, "try a changed configuration first and keep nothing if it fails")
			},
			body: func(c *cobra.Command, _ []string) (any, error) {
				body := given(c, map[string]string{"name": "name", "description": "description", "test": "test_before_save",
					"check-interval": "check_interval_seconds", "expires": "credentials_expire_at"})
				if !c.Flags().Changed("provider-config-file") {
					return body, nil
				}
				return body, readConfig(c, body)
			}},
		call{use: "test ID-OR-NAME", short: "Prove that a connection works now", args: cobra.ExactArgs(1), method: http.MethodPost, path: one("test"), then: testResult},
		call{use: "suspend ID-OR-NAME", short: "Stop using a connection", args: cobra.ExactArgs(1), method: http.MethodPatch, path: one(), body: status("SUSPENDED"), cols: connectionColumns},
		call{use: "archive ID-OR-NAME", short: "End a connection for good and destroy its credentials", args: cobra.ExactArgs(1), method: http.MethodDelete, path: one(), cols: columns("id=connection_id", "status=status")},
		call{use: "browse ID-OR-NAME [PATH]", short: "List the folders and files directly below a path", args: cobra.RangeArgs(1, 2), path: func(_ *cobra.Command, args []string) string { return client.Path(append(base, args[0], "browse")...) },
			flags: func(c *cobra.Command) { c.Flags().String("path", "/", "below this path") },
			query: func(c *cobra.Command) url.Values {
				path, _ := c.Flags().GetString("path")
				if a := c.Flags().Args(); len(a) > 1 {
					path = a[1]
				}
				return url.Values{"path": {path}}
			}, list: true, cols: columns("name=name", "source path=id", "folder=folder", "bytes=size_bytes", "modified=modified_at")},
		call{use: "usage ID-OR-NAME", short: "Show what a connection did, by day", args: cobra.ExactArgs(1), path: one("usage"),
			flags: func(c *cobra.Command) { c.Flags().Int("days", 30, "how many, today included (1 to 366)") },
			query: func(c *cobra.Command) url.Values {
				days, _ := c.Flags().GetInt("days")
				return url.Values{"days": {strconv.Itoa(days)}}
			},
			then: func(cmd *cobra.Command, _ *client.Client, a client.Object) error {
				return table(cmd, client.Object{"results": a["days"]}, columns("day=day", "syncs=syncs", "objects=objects", "bytes=bytes",
					"requests=requests", "throttles=throttles", "errors=errors"))
			}},
		trustPolicyCommand(),
	)
	cmd.AddCommand(createConnectionCommand(), resumeCommand())
	return cmd
}

func watchFlags(c *cobra.Command) {
	c.Flags().Int("check-interval", 0, "`seconds` between checks while all is well, 60 to 86400 (0: the server's)")
	c.Flags().String("expires", "", "`time` at which the credentials expire, such as 2026-01-31: you are told a week before")
}

func configFlag(c *cobra.Command, def string) {
	c.Flags().String("provider-config-file", def, "JSON `file` with the provider's configuration, as in the API (- is standard input)")
}

// readConfig puts the provider's configuration into a request.
func readConfig(c *cobra.Command, body client.Object) error {
	name, _ := c.Flags().GetString("provider-config-file")
	config, err := readObject(c, name, "the configuration")
	body["provider_config"] = config
	return err
}

// testResult shows a test's verdict; a failed one is a failed command.
func testResult(cmd *cobra.Command, _ *client.Client, answer client.Object) error {
	if err := show(cmd, answer, columns("works=success", "message=message", "details=details")); err != nil {
		return err
	}
	if ok, _ := answer["success"].(bool); !ok {
		return errs.New(errs.Unavailable, "connection test", "the connection does not work")
	}
	return nil
}
