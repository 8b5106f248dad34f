package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"mooring/internal/client"
	"mooring/internal/errs"
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
	watch := &cobra.Command{Use: "watch BUCKET SYNC", Short: "Show the progress of the run under way, or the next, until it has ended", Args: cobra.ExactArgs(2)}
	watch.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		return watchSync(cmd, c, args, "")
	}
	cmd.AddCommand(watch)
	return cmd
}

// watchSync follows a sync's current run, or the next one when the current is
// after.
func watchSync(cmd *cobra.Command, c *client.Client, args []string, after string) error {
	run, err := runAfter(cmd, c, args, after)
	if err != nil {
		return err
	}
	path := client.Path("v1", "buckets", args[0], "syncs", args[1], "runs", run)
	ended, err := untilEnded(cmd, c, path)
	if err != nil {
		return err
	}
	if err := show(cmd, ended, oneRunColumns); err != nil {
		return err
	}
	if ended["status"] == "FAILED" {
		return errs.New(errs.Unavailable, "run", "the run failed")
	}
	return nil
}

// untilEnded follows a run to its end. A stream may end before its run does: a
// proxy loses patience, a server is restarted.
func untilEnded(cmd *cobra.Command, c *client.Client, path string) (client.Object, error) {
	for {
		if err := follow(cmd, c, path); err != nil {
			return nil, err
		}
		run, err := c.Do(cmd.Context(), http.MethodGet, path, nil, nil)
		if err != nil || run["status"] != "IN_PROGRESS" {
			return run, err
		}
		if err := pause(cmd.Context()); err != nil {
			return nil, err
		}
	}
}

// pause is the time between two questions about the same thing.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(200 * time.Millisecond):
		return nil
	}
}

// runAfter waits for a run that is not after.
func runAfter(cmd *cobra.Command, c *client.Client, args []string, after string) (string, error) {
	for {
		sync, err := c.Do(cmd.Context(), http.MethodGet, syncPath()(cmd, args), nil, nil)
		if err != nil {
			return "", err
		}
		if run, _ := sync["current_sync_run_id"].(string); run != after {
			return run, nil
		}
		if err := pause(cmd.Context()); err != nil {
			return "", err
		}
	}
}

// follow shows a run's events until it has ended: as a bar on a terminal, as
// nothing elsewhere.
func follow(cmd *cobra.Command, c *client.Client, path string) error {
	body, err := c.Stream(cmd.Context(), path+"/events", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	var line atomic.Value
	line.Store("")
	progress := mpb.NewWithContext(cmd.Context(), mpb.WithOutput(terminal(cmd)))
	bar := progress.New(0, mpb.SpinnerStyle().PositionLeft(), mpb.BarWidth(2), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return line.Load().(string) })))
	err = client.Events(body, func(_ string, data []byte) error {
		var now struct {
			Ledger map[string]any `json:"ledger"`
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		if dec.Decode(&now) == nil && now.Ledger != nil {
			n := func(field string) any { return now.Ledger[field] }
			line.Store(fmt.Sprintf("%v found, %v synced, %v unchanged, %v failed, %v bytes", n("discovered"), n("synced"), n("unchanged"), n("failed"), n("bytes")))
			bar.Increment()
		}
		return nil
	})
	bar.Abort(true)
	progress.Wait()
	return err
}

// terminal is standard error where that is a terminal, else nothing.
func terminal(cmd *cobra.Command) io.Writer {
	if f, ok := cmd.ErrOrStderr().(*os.File); ok && term.IsTerminal(int(f.Fd())) && !wantsJSON(cmd) {
		return f
	}
	return io.Discard
}
