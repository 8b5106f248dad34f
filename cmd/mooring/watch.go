package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"mooring/internal/client"
	"mooring/internal/errs"
)

// watchCommand follows a sync. It is there under sync and under run.
func watchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "watch BUCKET SYNC", Args: cobra.ExactArgs(2), ValidArgsFunction: completeArgs,
		Short: "Show the progress of the run under way, or of the latest, until it has ended: bars on a terminal, lines elsewhere",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		return watchSync(cmd, c, args, "")
	}
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

// runAfter waits for a run that is not after. Where none can begin it says why,
// rather than to wait without a word.
func runAfter(cmd *cobra.Command, c *client.Client, args []string, after string) (string, error) {
	for n := 0; ; n++ {
		sync, err := c.Do(cmd.Context(), http.MethodGet, syncPath()(cmd, args), nil, nil)
		if err != nil {
			return "", err
		}
		if run, _ := sync["current_sync_run_id"].(string); run != after {
			return run, nil
		}
		if n%10 == 0 { // each two seconds: a connection may be suspended meanwhile
			if hint := ofSync(cmd, c, args[0], args[1]); hint != "" {
				return "", errs.New(errs.Conflict, "", "no run can begin\n"+hint)
			}
		}
		if err := pause(cmd.Context()); err != nil {
			return "", err
		}
	}
}

// run is what is shown of a run's events.
type runEvent struct {
	Status string `json:"status"`
	Ledger struct {
		Discovered, Synced, Unchanged, Filtered, Duplicate, Skipped, Failed, Deleted, Bytes int64
	} `json:"ledger"`
	Progress *struct {
		Listed       int64 `json:"listed"`
		Transferring int64 `json:"transferring"`
		Waiting      int64 `json:"waiting"`
		Bytes        int64 `json:"bytes"`
		BytesKnown   int64 `json:"bytes_known"`
		ListedAll    bool  `json:"listed_all"`
	} `json:"progress"`
	DurationSeconds float64 `json:"duration_seconds"`
}

// done and total are the bytes of a run so far, and in all as far as is known.
func (e runEvent) done() int64 {
	if e.Progress != nil {
		return e.Progress.Bytes
	}
	return e.Ledger.Bytes
}

func (e runEvent) line() string {
	found, transferring := e.Ledger.Discovered, ""
	if p := e.Progress; p != nil {
		found = max(found, p.Listed)
		transferring = fmt.Sprintf(", %d transferring", p.Transferring)
	}
	rate := ""
	if e.DurationSeconds > 0 {
		rate = fmt.Sprintf(", %s/s", size(int64(float64(e.done())/e.DurationSeconds)))
	}
	return fmt.Sprintf("%d found%s, %d synced, %d unchanged, %d failed, %s%s", found, transferring, e.Ledger.Synced, e.Ledger.Unchanged, e.Ledger.Failed, size(e.done()), rate)
}

// size is a number of bytes for people.
func size(n int64) string { return fmt.Sprintf("% .1f", decor.SizeB1024(n)) }

// follow shows a run's events until its stream ends.
func follow(cmd *cobra.Command, c *client.Client, path string) error {
	body, err := c.Stream(cmd.Context(), path+"/events", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	see, end := viewOf(cmd)
	defer end()
	return client.Events(body, func(_ string, data []byte) error {
		var now runEvent
		if json.NewDecoder(bytes.NewReader(data)).Decode(&now) == nil {
			see(now)
		}
		return nil
	})
}

// viewOf shows events as bars on a terminal, as lines elsewhere, and not at all
// beside JSON.
func viewOf(cmd *cobra.Command) (see func(runEvent), end func()) {
	f, ok := cmd.ErrOrStderr().(*os.File)
	switch {
	case wantsJSON(cmd):
		return func(runEvent) {}, func() {}
	case ok && term.IsTerminal(int(f.Fd())):
		return bars(cmd.Context(), f)
	}
	return lines(cmd.ErrOrStderr())
}

// lineEvery is the time between two lines that say the same kind of thing.
const lineEvery = 5 * time.Second

func lines(out io.Writer) (see func(runEvent), end func()) {
	said, next := "", time.Time{}
	return func(e runEvent) {
		line := e.line()
		if now := time.Now(); line != said && (now.After(next) || e.Status != "IN_PROGRESS") {
			fmt.Fprintln(out, line)
			said, next = line, now.Add(lineEvery)
		}
	}, func() {}
}

// bars are one line of counts and, while bytes are still to come, a bar of them.
func bars(ctx context.Context, out io.Writer) (see func(runEvent), end func()) {
	var line atomic.Value
	line.Store("")
	progress := mpb.NewWithContext(ctx, mpb.WithOutput(out), mpb.WithAutoRefresh())
	counts := progress.New(0, mpb.SpinnerStyle().PositionLeft(), mpb.BarWidth(2), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return line.Load().(string) })))
	content := progress.New(0, mpb.BarStyle(), mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.Name(" "), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), "")))
	return func(e runEvent) {
			line.Store(e.line())
			counts.Increment()
			if p := e.Progress; p != nil && p.BytesKnown > 0 {
				content.SetTotal(max(p.BytesKnown, p.Bytes)+1, false) // one more: it is done when the run is
				content.SetCurrent(p.Bytes)
			}
		}, func() {
			counts.Abort(true)
			content.Abort(true)
			progress.Wait()
		}
}
