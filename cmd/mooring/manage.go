package main

import (
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"mooring/internal/client"
)

// manageCommands are those for what surrounds connections and buckets: people,
// namespaces, tasks, and the server itself.
func manageCommands() []*cobra.Command {
	users := columns("id=user_id", "email=email", "name=name", "created=created_at")
	namespaces := columns("id=namespace_id", "name=namespace_name", "created=created_at")
	organization := []string{"v1", "organizations", "users"}
	return []*cobra.Command{
		group("user", "Manage the users of an organization",
			call{use: "list", short: "List users, newest first", args: cobra.NoArgs, path: at(organization...), list: true, cols: users},
			call{use: "create EMAIL", short: "Add a user, who then can be given keys", args: cobra.ExactArgs(1), method: http.MethodPost, cols: users,
				path:  func(*cobra.Command, []string) string { return client.Path(organization...) },
				flags: func(c *cobra.Command) { c.Flags().String("name", "", "what to call the user") },
				body: func(c *cobra.Command, a []string) (any, error) {
					body := given(c, map[string]string{"name": "name"})
					body["email"] = a[0]
					return body, nil
				}},
		),
		group("namespace", "Manage the namespaces that buckets live in",
			call{use: "list", short: "List namespaces, newest first", args: cobra.NoArgs, path: at("v1", "namespaces"), list: true, cols: namespaces},
			call{use: "create NAME", short: "Make a namespace", args: cobra.ExactArgs(1), method: http.MethodPost, cols: namespaces,
				path: func(*cobra.Command, []string) string { return client.Path("v1", "namespaces") },
				body: func(_ *cobra.Command, a []string) (any, error) { return client.Object{"namespace_name": a[0]}, nil }},
		),
		group("task", "Look at what runs in the background",
			call{use: "get ID", short: "Show how far the deletion of a bucket is", args: cobra.ExactArgs(1), path: at("v1", "tasks"),
				cols: columns("id=task_id", "type=task_type", "status=status", "bucket=bucket_id", "updated=updated_at")}),
		call{use: "health", short: "Show whether the server works", args: cobra.NoArgs, path: at("v1", "health"),
			cols: columns("status=status", "store=errors.metadata", "outside=errors.outbound")}.command(),
		metricsCommand(),
	}
}

// metricsCommand prints what Prometheus would read.
func metricsCommand() *cobra.Command {
	return &cobra.Command{Use: "metrics", Short: "Print the server's metrics, as Prometheus reads them", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		body, err := c.Stream(cmd.Context(), "/metrics", nil)
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(cmd.OutOrStdout(), body)
		return err
	}}
}

// analytics are the views on a bucket's runs.
func analytics() []call {
	view := func(use, short, path string, flags func(*cobra.Command), query func(*cobra.Command, url.Values), rows string, cols []column) call {
		return call{use: use + " BUCKET", short: short, args: cobra.ExactArgs(1),
			path: func(_ *cobra.Command, a []string) string {
				return client.Path("v1", "analytics", "buckets", a[0], path)
			},
			flags: func(c *cobra.Command) {
				c.Flags().Int("hours", 168, "how far back (1 to 720)")
				if flags != nil {
					flags(c)
				}
			},
			query: func(c *cobra.Command) url.Values {
				hours, _ := c.Flags().GetInt("hours")
				q := url.Values{"hours": {strconv.Itoa(hours)}}
				if query != nil {
					query(c, q)
				}
				return q
			},
			then: func(cmd *cobra.Command, _ *client.Client, a client.Object) error {
				if rows == "" || wantsJSON(cmd) {
					return show(cmd, a, cols)
				}
				return table(cmd, client.Object{"results": a[rows]}, cols)
			}}
	}
	return []call{
		view("performance", "Show what a bucket's runs moved, and how fast", "sync-performance",
			func(c *cobra.Command) { c.Flags().String("sync", "", "only of this sync (`id`)") },
			func(c *cobra.Command, q url.Values) {
				if sync, _ := c.Flags().GetString("sync"); sync != "" {
					q.Set("sync_config_id", sync)
				}
			}, "runs", columns("run=sync_run_id", "started=started_at", "status=status", "seconds=duration_seconds", "discovered=files_discovered",
				"synced=files_synced", "failed=files_failed", "bytes=bytes_synced", "MB/s=throughput_mbps")),
		view("compare", "Show a bucket's syncs side by side", "sync-comparison", nil, nil, "configs",
			columns("sync=sync_config_id", "provider=provider_type", "runs=total_runs", "success=success_rate", "seconds=avg_duration_seconds",
				"discovered=total_files_discovered", "synced=total_files_synced", "failed=total_files_failed", "MB/s=avg_throughput_mbps")),
		view("health", "Show what went wrong in a bucket's syncs", "health", nil, nil, "",
			columns("health=overall_health", "errors=total_errors", "by kind=error_breakdown", "syncs=sync_health", "stuck=stuck_syncs")),
	}
}
