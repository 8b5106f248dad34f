package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"mooring/internal/client"
	"mooring/internal/errs"
)

var runColumns = columns("id=sync_run_id", "number=number", "status=status", "started=started_at", "seconds=duration_seconds", "discovered=ledger.discovered", "synced=ledger.synced",
	"unchanged=ledger.unchanged", "filtered=ledger.filtered", "duplicate=ledger.duplicate", "skipped=ledger.skipped", "failed=ledger.failed",
	"deleted=ledger.deleted", "bytes=ledger.bytes", "suspect=suspect", "reason=reason")

func runCommand() *cobra.Command {
	cmd := group("run", "Look at the runs of a sync",
		call{use: "list BUCKET SYNC", short: "List runs, newest first", args: cobra.ExactArgs(2), path: syncPath("runs"), list: true, cols: runColumns},
		call{use: "get BUCKET SYNC RUN", short: "Show a run", args: cobra.ExactArgs(3), cols: runColumns,
			path: func(_ *cobra.Command, a []string) string {
				return client.Path("v1", "buckets", a[0], "syncs", a[1], "runs", a[2])
			}},
	)
	watch := &cobra.Command{Use: "watch BUCKET SYNC", Short: "Show the progress of the run under way, or the next, until it has ended", Args: cobra.ExactArgs(2)}
	watch.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		return watchSync(cmd, c, args)
	}
	cmd.AddCommand(watch)
	return cmd
}

// watchSync follows a sync's current run by its event stream.
func watchSync(cmd *cobra.Command, c *client.Client, args []string) error {
	sync, err := c.Do(cmd.Context(), http.MethodGet, syncPath()(cmd, args), nil, nil)
	if err != nil {
		return err
	}
	run, _ := sync["current_sync_run_id"].(string)
	if run == "" {
		return errs.New(errs.NotFound, "run watch", "the sync has not run yet")
	}
	path := client.Path("v1", "buckets", args[0], "syncs", args[1], "runs", run)
	body, err := c.Stream(cmd.Context(), path+"/events", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	progress := mpb.NewWithContext(cmd.Context(), mpb.WithOutput(cmd.ErrOrStderr()), mpb.WithAutoRefresh())
	var line string
	bar := progress.New(0, mpb.SpinnerStyle(), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return line })))
	err = client.Events(body, func(_ string, data []byte) error {
		var now struct {
			Ledger map[string]json.Number `json:"ledger"`
		}
		if err := json.Unmarshal(data, &now); err != nil {
			return nil //nolint:nilerr // an event of another form is not for us
		}
		line = fmt.Sprintf(" %s found, %s synced, %s unchanged, %s failed, %s bytes", now.Ledger["discovered"], now.Ledger["synced"], now.Ledger["unchanged"], now.Ledger["failed"], now.Ledger["bytes"])
		bar.Increment()
		return nil
	})
	bar.Abort(true)
	progress.Wait()
	if err != nil {
		return err
	}
	ended, err := c.Do(cmd.Context(), http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	if err := show(cmd, ended, runColumns); err != nil {
		return err
	}
	if ended["status"] == "FAILED" {
		return errs.New(errs.Unavailable, "run", "the run failed")
	}
	return nil
}
