package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"mooring/internal/client"
)

var syncColumns = columns("id=sync_config_id", "connection=connection_id", "source=source_path", "mode=sync_mode", "status=status",
	"synced=total_files_synced", "failed=total_files_failed", "last=last_sync_at", "next=next_sync_at", "last error=last_error")

func syncPath(suffix ...string) func(*cobra.Command, []string) string {
	return func(_ *cobra.Command, a []string) string {
		return client.Path(append([]string{"v1", "buckets", a[0], "syncs", a[1]}, suffix...)...)
	}
}

func syncCommand() *cobra.Command {
	two := cobra.ExactArgs(2)
	post := func(use, short string, suffix string, cols []column) call {
		return call{use: use + " BUCKET SYNC", short: short, args: two, method: http.MethodPost, path: syncPath(suffix), cols: cols}
	}
	preview := post("preview", "Say what a run would do, without doing it", "preview", nil)
	preview.then = func(cmd *cobra.Command, _ *client.Client, a client.Object) error {
		return printJSON(cmd.OutOrStdout(), a)
	}
	verify := post("verify", "Hash what stands in the destination anew and compare it with the catalogue", "verify", columns("run=sync_job_id", "message=message"))
	verify.flags = func(c *cobra.Command) { c.Flags().Bool("repair", false, "bring what is missing or damaged again") }
	verify.body = func(c *cobra.Command, _ []string) (any, error) {
		return given(c, map[string]string{"repair": "repair"}), nil
	}
	pause := post("pause", "Let a run under way finish and start no new one", "pause", syncColumns)
	pause.flags = func(c *cobra.Command) { c.Flags().String("reason", "", "why, for whoever looks at it later") }
	pause.body = func(c *cobra.Command, _ []string) (any, error) {
		return given(c, map[string]string{"reason": "reason"}), nil
	}
	cmd := group("sync", "Keep a bucket in sync with what a connection holds",
		call{use: "list BUCKET", short: "List a bucket's syncs, newest first", args: cobra.ExactArgs(1), method: http.MethodPost, list: true, cols: syncColumns,
			path: func(_ *cobra.Command, a []string) string { return client.Path("v1", "buckets", a[0], "syncs", "list") },
			flags: func(c *cobra.Command) {
				c.Flags().String("connection", "", "only of this connection (`id`)")
				c.Flags().String("status", "", "only in this state")
			},
			body: func(c *cobra.Command, _ []string) (any, error) {
				return given(c, map[string]string{"connection": "connection_id", "status": "status"}), nil
			}},
		call{use: "get BUCKET SYNC", short: "Show a sync", args: two, path: syncPath(), cols: syncColumns},
		createSync(), updateSync(),
		pause,
		post("resume", "Go on where it stopped", "resume", syncColumns),
		preview, verify,
		call{use: "delete BUCKET SYNC", short: "End a sync; what it brought stays in the bucket", args: two, method: http.MethodDelete, path: syncPath(), cols: columns("message=message")},
	)
	cmd.AddCommand(triggerCommand(), watchCommand(), lettersCommand())
	return cmd
}

func triggerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "trigger BUCKET SYNC", Short: "Run a sync now", Args: cobra.ExactArgs(2), ValidArgsFunction: completeArgs}
	wait := cmd.Flags().Bool("wait", false, "show progress until the run has ended")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		before, err := c.Do(cmd.Context(), http.MethodGet, syncPath()(cmd, args), nil, nil)
		if err != nil {
			return err
		}
		answer, err := c.Do(cmd.Context(), http.MethodPost, syncPath("trigger")(cmd, args), nil, nil)
		if err != nil {
			return helpful(cmd, c, syncPath("trigger")(cmd, args), err)
		}
		if *wait {
			last, _ := before["current_sync_run_id"].(string)
			return watchSync(cmd, c, args, last)
		}
		return show(cmd, answer, columns("run=sync_job_id", "status=status", "message=message"))
	}
	return cmd
}

func syncFlags(c *cobra.Command) {
	f := c.Flags()
	f.Int("polling", 0, "seconds between runs, 30 to 900 (default 300)")
	f.String("schedule", "", "five-field cron `expression` instead of polling")
	f.String("time-zone", "", "IANA `zone` of the schedule (default UTC)")
	f.String("delete-policy", "", "what follows when an item is gone at the source: ignore, tombstone or delete")
	f.Int("max-delete-percent", 0, "delete nothing when more than this share is gone at once (default 20)")
	f.String("mapping-file", "", "JSON `file` with the schema mapping")
	f.String("description", "", "free text")
	f.Int("max-objects-per-run", 0, "end a run after so many transfers; the next goes on at once (default 100000)")
}

var syncKeys = map[string]string{"polling": "polling_interval_seconds", "schedule": "schedule", "time-zone": "time_zone", "delete-policy": "delete_policy",
	"max-delete-percent": "max_delete_percent", "description": "description", "max-objects-per-run": "max_objects_per_run", "mode": "sync_mode", "connection": "connection_id", "path": "source_path"}

func createSync() call {
	return call{use: "create BUCKET", short: "Make a sync; it starts at once", args: cobra.ExactArgs(1), method: http.MethodPost, cols: syncColumns,
		path: func(_ *cobra.Command, a []string) string { return client.Path("v1", "buckets", a[0], "syncs") },
		flags: func(c *cobra.Command) {
			syncFlags(c)
			c.Flags().String("connection", "", "`id` of the connection")
			c.Flags().String("path", "", "what to sync, for S3: bucket or bucket/prefix")
			c.Flags().String("mode", "", "continuous (default) or initial_only")
			c.Flags().StringSlice("include", nil, "glob on name or path (repeatable)")
			c.Flags().StringSlice("exclude", nil, "glob on name or path (repeatable)")
			c.MarkFlagsOneRequired("connection", "from")
			c.MarkFlagsOneRequired("path", "from")
		},
		body: func(c *cobra.Command, _ []string) (any, error) {
			body := given(c, syncKeys)
			if filters := given(c, map[string]string{"include": "include_patterns", "exclude": "exclude_patterns"}); len(filters) > 0 {
				body["file_filters"] = filters
			}
			return body, readMapping(c, body)
		}}
}

func updateSync() call {
	return call{use: "update BUCKET SYNC", short: "Change a sync; it takes effect with the next run", args: cobra.ExactArgs(2), method: http.MethodPatch, path: syncPath(),
		flags: syncFlags, cols: syncColumns,
		body: func(c *cobra.Command, _ []string) (any, error) {
			body := given(c, syncKeys)
			return body, readMapping(c, body)
		}}
}

func readMapping(c *cobra.Command, body client.Object) error {
	name, _ := c.Flags().GetString("mapping-file")
	if name == "" {
		return nil
	}
	mapping, err := readObject(c, name, "the mapping")
	if err != nil {
		return err
	}
	body["schema_mapping"] = mapping
	return nil
}

func lettersCommand() *cobra.Command {
	pick := func(c *cobra.Command) {
		c.Flags().String("kind", "", "only of this kind of error")
		c.Flags().StringSlice("id", nil, "only these (repeatable)")
	}
	body := func(c *cobra.Command, _ []string) (any, error) {
		return given(c, map[string]string{"kind": "kind", "id": "ids"}), nil
	}
	return group("dead-letters", "Items that failed three tries",
		call{use: "list BUCKET SYNC", short: "List them with their reasons", args: cobra.ExactArgs(2), path: syncPath("dead-letters"), list: true,
			flags: func(c *cobra.Command) { c.Flags().String("kind", "", "only of this kind of error") },
			query: func(c *cobra.Command) url.Values {
				kind, _ := c.Flags().GetString("kind")
				return url.Values{"kind": {kind}}
			},
			cols: columns("id=id", "path=source_path", "kind=kind", "code=code", "attempts=attempts", "status=status", "message=message")},
		call{use: "retry BUCKET SYNC", short: "Try them again now", args: cobra.ExactArgs(2), method: http.MethodPost, path: syncPath("dead-letters", "retry"), flags: pick, body: body, cols: columns("message=message")},
		call{use: "purge BUCKET SYNC", short: "Forget them", args: cobra.ExactArgs(2), method: http.MethodPost, path: syncPath("dead-letters", "purge"), flags: pick, body: body, cols: columns("message=message")},
	)
}
