package main

import (
	"slices"

	"github.com/spf13/cobra"

	"mooring/internal/client"
)

var runColumns = columns("id=sync_run_id", "number=number", "status=status", "started=started_at", "seconds=duration_seconds", "discovered=ledger.discovered", "synced=ledger.synced",
	"unchanged=ledger.unchanged", "filtered=ledger.filtered", "duplicate=ledger.duplicate", "skipped=ledger.skipped", "failed=ledger.failed",
	"deleted=ledger.deleted", "bytes=ledger.bytes", "suspect=suspect", "reason=reason")

// oneRunColumns are those of a single run: also why items were left out, and what
// the source noted of them.
var oneRunColumns = slices.Concat(runColumns, columns("filtered by=ledger.filtered_by", "skipped by=ledger.skipped_by", "failed by=ledger.failed_by", "noted=ledger.noted_by"))

func runCommand() *cobra.Command {
	cmd := group("run", "Look at the runs of a sync",
		call{use: "list BUCKET SYNC", short: "List runs, newest first", args: cobra.ExactArgs(2), path: syncPath("runs"), list: true, cols: runColumns},
		call{use: "get BUCKET SYNC RUN", short: "Show a run", args: cobra.ExactArgs(3), cols: oneRunColumns,
			path: func(_ *cobra.Command, a []string) string {
				return client.Path("v1", "buckets", a[0], "syncs", a[1], "runs", a[2])
			}},
	)
	cmd.AddCommand(watchCommand())
	return cmd
}
