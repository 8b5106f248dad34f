package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

const onePath = bucketPath + "/syncs/{sync}"

func syncPages() []page {
	return []page{
		{"GET " + onePath, access.Read, (*visit).showSync},
		{"GET " + onePath + "/events", access.Read, (*visit).followSync},
		{"POST " + onePath + "/trigger", access.Write, (*visit).triggerSync},
		{"POST " + onePath + "/pause", access.Write, (*visit).pauseSync},
		{"POST " + onePath + "/resume", access.Write, (*visit).resumeSync},
		{"POST " + onePath + "/verify", access.Write, (*visit).verifySync},
		{"POST " + onePath + "/delete", access.Delete, (*visit).deleteSync},
		{"POST " + onePath + "/letters/retry", access.Write, (*visit).retryLetters},
		{"POST " + onePath + "/letters/purge", access.Delete, (*visit).purgeLetters},
	}
}

// syncURL is the page of a sync.
func syncURL(s syncing.Sync) string {
	return bucketsPath + "/" + url.PathEscape(string(s.Bucket)) + "/syncs/" + url.PathEscape(string(s.ID))
}

const (
	runsShown    = 30
	lettersShown = 50
)

type syncData struct {
	Now        time.Time
	Sync       syncing.Sync
	Sign       sign
	Bucket     bucket.Bucket
	Connection connection.Connection // zero where the key does not reach it
	Live       liveRun
	Runs       []syncing.Run
	MoreRuns   bool
	Chart      bars
	Letters    []syncing.DeadLetter
	Reasons    []reason
	Kind       string // the letters shown are of this kind, "" for all
	First      bool
	Here, Next string // addresses of pages of letters
	Again      string // address of this page
	Form       []field
}

// reason is a kind of error and how many dead letters have it.
type reason struct {
	Kind  string
	Count int64
	URL   string
	On    bool
}

// liveRun is the latest run, for the block "progress".
type liveRun struct {
	Now      time.Time
	Run      syncing.Run
	Sign     sign
	Known    bool // there is a run
	Running  bool
	Here     bool // Progress is known
	Progress engine.Progress
	Waiting  bool // the first run is due, or one is asked for, and has not begun
	URL      string
}

// Percent is how much of what was found has arrived, once all is found.
func (l liveRun) Percent() int64 {
	p := l.Progress
	if !p.ListedAll || p.BytesKnown <= 0 {
		return -1
	}
	return min(100, 100*p.Bytes/p.BytesKnown)
}

// Rate is in bytes a second, since the run began.
func (l liveRun) Rate() int64 {
	if s := l.Now.Sub(l.Run.StartedAt).Seconds(); s > 0 {
		return int64(float64(l.Progress.Bytes) / s)
	}
	return 0
}

// Remaining is in bytes, negative while it is not known.
func (l liveRun) Remaining() int64 {
	if !l.Progress.ListedAll {
		return -1
	}
	return max(0, l.Progress.BytesKnown-l.Progress.Bytes)
}

func (v *visit) sync() (bucket.Bucket, syncing.Sync, error) {
	b, err := v.bucket()
	if err != nil {
		return b, syncing.Sync{}, err
	}
	s, err := v.reach().Sync(v.ctx(), b.ID, v.path("sync"))
	return b, s, err
}

func (v *visit) showSync() error { return v.syncPage(http.StatusOK, nil, "") }

// syncPage shows the sync as it is now, with what went wrong or was done.
func (v *visit) syncPage(status int, failure error, notice string) error {
	b, s, err := v.sync()
	if err != nil {
		return err
	}
	d := syncData{Now: v.now(), Sync: s, Sign: syncSign(s), Bucket: b}
	if c, err := v.reachFor(access.Read).Connection(v.ctx(), string(s.Connection)); err == nil {
		d.Connection = c
	}
	f := frame{Title: "Sync of " + orRoot(s.SourcePath), Section: "buckets", Notice: notice}
	if failure != nil {
		v.report(failure, status)
		f.Problem = v.problem(failure)
	}
	d.Form = filled([]field{{Name: "confirm", Label: "Source path of the sync", Kind: "text", Help: "Ending a sync can't be undone. What it brought stays in the bucket."}}, nil, f.Problem)
	if d.Live, err = v.live(s); err != nil {
		return err
	}
	for _, read := range []func(*syncData) error{v.readRuns, v.readLetters} {
		if err := read(&d); err != nil {
			return err
		}
	}
	f.Data = &d
	return v.show(status, "sync.html", f)
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// live reads the sync's latest run.
func (v *visit) live(s syncing.Sync) (l liveRun, err error) {
	now := v.now()
	first := s.CurrentRun == "" && s.Runnable() == nil && s.NextSyncAt != nil && !s.NextSyncAt.After(now) // it was just made
	l = liveRun{Now: now, URL: syncURL(s), Waiting: first || s.Triggered > s.TriggerDone}
	if s.CurrentRun == "" {
		return l, nil
	}
	if l.Run, err = v.Store.Runs().Get(v.ctx(), v.org(), s.CurrentRun); err != nil {
		if errs.Is(err, errs.NotFound) {
			err = nil
		}
		return l, err
	}
	l.Known, l.Running = true, l.Run.Status == syncing.RunInProgress
	if l.Run, err = v.Engine.Live(v.ctx(), l.Run); err != nil {
		return l, err
	}
	l.Progress, l.Here = v.Engine.Progress(l.Run.ID)
	l.Sign = runSign(l.Run)
	return l, nil
}

func runSign(r syncing.Run) sign {
	switch r.Status {
	case syncing.RunInProgress:
		return sign{"off", "wait", "Running"}
	case syncing.RunCompleted:
		if r.Suspect {
			return sign{"warn", "bad", "Completed, suspect"}
		}
		return sign{"good", "good", "Completed"}
	case syncing.RunWithErrors:
		return sign{"warn", "bad", "Completed with errors"}
	case syncing.RunFailed:
		return sign{"bad", "bad", "Failed"}
	}
	return sign{"off", "stop", "Interrupted"}
}

// followSync streams the progress of the latest run until it has ended and no
// other is asked for.
func (v *visit) followSync() error {
	return v.stream(func() ([]byte, bool, error) {
		_, s, err := v.sync()
		if err != nil {
			return nil, false, err
		}
		l, err := v.live(s)
		if err != nil {
			return nil, false, err
		}
		html, err := markup("sync.html", "progress", l)
		return html, l.Running || l.Waiting, err
	})
}

func (v *visit) readRuns(d *syncData) error {
	found, err := v.Store.Runs().List(v.ctx(), v.org(), syncing.RunFilter{Bucket: d.Sync.Bucket, Sync: d.Sync.ID}, store.Page{Limit: runsShown})
	if err != nil {
		return err
	}
	d.Runs, d.MoreRuns = found.Items, found.Next != ""
	var synced, failed int64
	for i, r := range slices.Backward(d.Runs) {
		if r, err = v.Engine.Live(v.ctx(), r); err != nil {
			return err
		}
		d.Runs[i] = r
		l := r.Ledger
		synced, failed = synced+l.Synced, failed+l.Failed
		d.Chart.Places = append(d.Chart.Places, place{
			Label: "#" + strconv.FormatInt(r.Number, 10),
			Title: fmt.Sprintf("Run %d, %s: %d discovered, %d synced, %d failed", r.Number, when(r.StartedAt), l.Discovered, l.Synced, l.Failed),
			Parts: []part{{l.Synced, "good"}, {l.Duplicate + l.Skipped, "warn"}, {l.Failed, "bad"}, {l.Unchanged + l.Filtered, "off"}},
		})
	}
	for len(d.Chart.Places) < runsShown { // so that a column is as wide whatever their number
		d.Chart.Places = append(d.Chart.Places, place{})
	}
	d.Chart.Title = fmt.Sprintf("What became of the items of the last %d runs: %d synced and %d failed in all", len(d.Runs), synced, failed)
	return nil
}

// letterKinds are those that a dead letter can have.
var letterKinds = []errs.Kind{
	errs.Invalid, errs.Unauthenticated, errs.PermissionDenied, errs.NotFound, errs.AlreadyExists, errs.Conflict, errs.Throttled, errs.Unavailable,
	errs.CursorExpired, errs.Stale, errs.Corrupt, errs.Canceled, errs.Internal,
}

func (v *visit) readLetters(d *syncData) error {
	q := v.r.URL.Query()
	d.Kind, d.First = q.Get("kind"), q.Get("letters") == ""
	for _, k := range letterKinds {
		n, err := v.Store.DeadLetters().Count(v.ctx(), v.org(), d.Sync.ID, syncing.DeadLetterFilter{Kind: k, ByKind: true})
		if err != nil {
			return err
		}
		if n > 0 {
			d.Reasons = append(d.Reasons, reason{Kind: k.String(), Count: n, URL: withQuery(syncURL(d.Sync), url.Values{"kind": {k.String()}}) + "#letters", On: k.String() == d.Kind})
		}
	}
	found, err := v.Store.DeadLetters().List(v.ctx(), v.org(), d.Sync.ID, letterFilter(d.Kind), store.Page{Limit: lettersShown, Cursor: q.Get("letters")})
	if err != nil {
		return err
	}
	d.Letters = found.Items
	narrowed := said(q, "kind")
	d.Here, d.Again = withQuery(syncURL(d.Sync), narrowed), withQuery(syncURL(d.Sync), said(q, "kind", "letters"))
	if found.Next != "" {
		narrowed.Set("letters", found.Next)
		d.Next = withQuery(syncURL(d.Sync), narrowed)
	}
	return nil
}

func letterFilter(kind string) syncing.DeadLetterFilter {
	return syncing.DeadLetterFilter{Kind: errs.ParseKind(kind), ByKind: kind != ""}
}

// control does something to the sync and goes back to its page.
func (v *visit) control(notice string, do func(b bucket.Bucket, s syncing.Sync, form url.Values) error) error {
	b, s, err := v.sync()
	if err == nil {
		err = surface.Live(b)
	}
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	if err := do(b, s, form); err != nil {
		return v.syncPage(surface.Status(err, true), err, "")
	}
	return v.done(syncURL(s), notice)
}

func (v *visit) triggerSync() error {
	return v.control("triggered", func(b bucket.Bucket, s syncing.Sync, _ url.Values) error {
		_, err := v.Syncs.Trigger(v.ctx(), v.org(), v.actor, b.ID, s.ID)
		return err
	})
}

func (v *visit) pauseSync() error {
	return v.control("paused", func(b bucket.Bucket, s syncing.Sync, form url.Values) error {
		_, err := v.Syncs.Pause(v.ctx(), v.org(), v.actor, b.ID, s.ID, surface.Clip(form.Get("reason"), 500))
		return err
	})
}

func (v *visit) resumeSync() error {
	return v.control("goes-on", func(b bucket.Bucket, s syncing.Sync, _ url.Values) error {
		_, err := v.Syncs.Resume(v.ctx(), v.org(), v.actor, b.ID, s.ID)
		return err
	})
}

var errNoWorker = errs.New(errs.Unavailable, "web.verify", "no worker runs in this process: ask one that works on syncs")

func (v *visit) verifySync() error {
	return v.control("verifying", func(_ bucket.Bucket, s syncing.Sync, form url.Values) error {
		if v.Verify == nil {
			return errNoWorker
		}
		_, err := v.Verify(v.ctx(), v.org(), s.ID, form.Get("repair") != "")
		return err
	})
}

// deleteSync asks for the source path: there is no way back.
func (v *visit) deleteSync() error {
	b, s, err := v.sync()
	if err == nil {
		err = surface.Live(b)
	}
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	if form.Get("confirm") != s.SourcePath {
		f := errs.NewFields("body")
		f.Add("value_error", "must be the source path of the sync, to make sure that it is this one", "confirm")
		return v.syncPage(http.StatusUnprocessableEntity, f.Err("web.delete"), "")
	}
	if err := v.Syncs.Delete(v.ctx(), v.org(), v.actor, b.ID, s.ID); err != nil {
		return v.syncPage(surface.Status(err, true), err, "")
	}
	return v.done(bucketURL(b), "sync-ended")
}

func (v *visit) retryLetters() error { return v.letters("retrying", v.Syncs.RetryLetters) }

func (v *visit) purgeLetters() error { return v.letters("purged", v.Syncs.PurgeLetters) }

// letters does something to one dead letter, to those of a kind, or to all.
func (v *visit) letters(notice string, do func(context.Context, id.Org, audit.Actor, id.Bucket, id.Sync, syncing.DeadLetterFilter, []string) (int64, error)) error {
	return v.control(notice, func(b bucket.Bucket, s syncing.Sync, form url.Values) error {
		var ids []string
		if one := form.Get("letter"); one != "" {
			ids = []string{one}
		}
		_, err := do(v.ctx(), v.org(), v.actor, b.ID, s.ID, letterFilter(form.Get("kind")), ids)
		return err
	})
}
