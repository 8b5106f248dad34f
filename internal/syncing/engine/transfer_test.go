package engine_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/sink"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// single makes a world with one large item beside two small ones.
func single(t *testing.T, o providertest.FlatOptions) (*world, *providertest.Flat, string) {
	f := providertest.NewFlat(o)
	f.Put("a", []byte("small"))
	f.PutGenerated("big", 7, 1<<20)
	f.Put("z", []byte("another"))
	return newWorld(t, f, nil), f, f.ID("big")
}

func TestABrokenTransferGoesOnWhereItBroke(t *testing.T) {
	w, f, big := single(t, providertest.FlatOptions{})
	f.Inject(providertest.Fault{Method: providertest.Open, ID: big, Times: 1, Action: providertest.ShortRead(300_000)})
	f.Inject(providertest.Fault{Method: providertest.Open, ID: big, After: 1, Times: 1, Action: providertest.ShortRead(700_000)})
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
	w.holds(want(f, "a", "big", "z"))
	if n := f.Count(providertest.Open); n != 5 {
		t.Errorf("%d opens, want 5: the item was started over", n)
	}
}

func TestAByteThatFlipsOnTheWayIsNoticed(t *testing.T) {
	w, f, big := single(t, providertest.FlatOptions{})
	f.Inject(providertest.Fault{Method: providertest.Open, ID: big, Times: 1, Action: providertest.CorruptByte(500_000)})
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
	w.holds(want(f, "a", "big", "z"))

	f.Put("big", []byte("a version that never arrives whole"))
	f.Inject(providertest.Fault{Method: providertest.Open, ID: big, Action: providertest.CorruptByte(5)})
	before := w.objects()[big]
	run := w.ok()
	w.check(run, syncing.Ledger{Discovered: 3, Unchanged: 2, Failed: 1})
	if l := w.letters(1); run.Ledger.FailedBy["corrupt"] != 1 || l[0].Kind != "corrupt" {
		t.Errorf("failed by %v", run.Ledger.FailedBy)
	}
	if o := w.objects()[big]; o.SHA256 != before.SHA256 || o.Version != before.Version {
		t.Error("damaged content replaced what was whole")
	}
}

func TestAnItemThatChangesMeanwhileArrivesInItsNewVersion(t *testing.T) {
	w, f, big := single(t, providertest.FlatOptions{})
	var once atomic.Bool
	f.SetGate(func(_ context.Context, c providertest.Call) error {
		if c.Method == providertest.Open && c.ID == big && !once.Swap(true) {
			f.Put("big", []byte("the newer version"))
		}
		return nil
	})
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
	w.holds(want(f, "a", "big", "z"))
}

func TestAnItemThatVanishesMeanwhileIsSkipped(t *testing.T) {
	w, f, big := single(t, providertest.FlatOptions{})
	f.SetGate(func(_ context.Context, c providertest.Call) error {
		if c.Method == providertest.Open && c.ID == big {
			f.Delete("big")
		}
		return nil
	})
	run := w.ok()
	w.check(run, syncing.Ledger{Discovered: 3, Synced: 2, Skipped: 1})
	if run.Ledger.SkippedBy["gone_since_listed"] != 1 {
		t.Errorf("skipped by %v", run.Ledger.SkippedBy)
	}
	w.letters(0)
}

func TestThrottlingIsWeather(t *testing.T) {
	w, f, _ := single(t, providertest.FlatOptions{})
	f.Inject(providertest.Fault{Method: providertest.Open, Times: 4, Action: providertest.Throttle(7 * time.Second)})
	f.Inject(providertest.Fault{Method: providertest.Changes, Times: 2, Action: providertest.Throttle(20 * time.Second)})
	before := w.clock()
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
	w.holds(want(f, "a", "big", "z"))
	if waited := w.clock().Sub(before); waited < 47*time.Second {
		t.Errorf("it waited %v in all, less than it was asked to", waited)
	}
}

func TestEndlessThrottlingPutsOffAndCountsNothing(t *testing.T) {
	w, f, _ := single(t, providertest.FlatOptions{})
	f.Inject(providertest.Fault{Method: providertest.Open, Action: providertest.Throttle(90 * time.Second)})
	for range 6 {
		run, err := w.run()
		if !errs.Is(err, errs.Throttled) || run.Status != syncing.RunCanceled {
			t.Fatalf("run %s, %v", run.Status, err)
		}
		w.sound(run)
	}
	s := w.current()
	if s.Failures != 0 || s.Status != syncing.Active || w.health.blames() != 0 || s.NextSyncAt.Sub(w.clock()) < 80*time.Second {
		t.Errorf("throttling counts: %d failures, %s, health %d, next %v", s.Failures, s.Status, w.health.blames(), s.NextSyncAt.Sub(w.clock()))
	}
	w.letters(0)
	f.ClearFaults()
	w.ok()
	w.holds(want(f, "a", "big", "z"))
}

// etagged gives items a checksum that only looks like one.
type etagged struct {
	portable
	sum   func([]byte) []byte
	spoil atomic.Int64 // opens whose first byte is another one
}

func (e *etagged) Open(ctx context.Context, it driver.Item, off int64) (io.ReadCloser, error) {
	r, err := e.portable.Open(ctx, it, off)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	sum := e.sum(b)
	if e.spoil.Add(-1) >= 0 && len(b) > 0 {
		b[0] ^= 0xff
	}
	return &summed{bytes.NewReader(b), driver.Checksum{Algorithm: "md5", Value: sum}}, nil
}

type summed struct {
	io.Reader
	sum driver.Checksum
}

func (s *summed) Close() error                  { return nil }
func (s *summed) Checksums() []driver.Checksum  { return []driver.Checksum{s.sum} }
func foreign([]byte) []byte                     { return make([]byte, 16) }
func md5sum(b []byte) []byte                    { s := md5.Sum(b); return s[:] }
func (w *world) through(s engine.Source) *world { w.engine.Open = opener(s); return w }

func TestUncertainChecksums(t *testing.T) {
	for name, c := range map[string]struct {
		sum     func([]byte) []byte
		spoil   int64
		verdict string
		opens   int
	}{
		"match":                       {md5sum, 0, "verified: md5", 3},
		"never matches":               {foreign, 0, "unverifiable: the provider's ETag is not the content's MD5", 6},
		"damaged once, then matches":  {md5sum, 1, "verified: md5", 4},
		"damaged once, never matches": {foreign, 1, "unverifiable: the provider's ETag is not the content's MD5", 7},
	} {
		t.Run(name, func(t *testing.T) {
			f, keys := flat(providertest.FlatOptions{NoChecksums: true}, 3)
			w := newWorld(t, f, nil)
			w.engine.Limits.Transfers = 1
			src := &etagged{portable: portable{f}, sum: c.sum}
			src.spoil.Store(c.spoil)
			w.through(src).check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
			w.holds(want(f, keys...))
			if v := w.objects()[f.ID(keys[2])].Verdict; v != c.verdict {
				t.Errorf("verdict %q, want %q", v, c.verdict)
			}
			if n := f.Count(providertest.Open); n != c.opens {
				t.Errorf("%d opens, want %d", n, c.opens)
			}
		})
	}
}

func TestContentWithoutChecksumSaysSo(t *testing.T) {
	w, f, big := single(t, providertest.FlatOptions{NoChecksums: true})
	w.ok()
	w.holds(want(f, "a", "big", "z"))
	if v := w.objects()[big].Verdict; v != "unverifiable: no checksum offered" {
		t.Errorf("verdict %q", v)
	}
}

func TestAStopIsNoFailureAndNothingIsLost(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{PageSize: 10}, 60)
	w := newWorld(t, f, nil)
	w.engine.Limits = engine.Limits{Shards: 1, PageItems: 10, Transfers: 2}
	ctx, cancel := context.WithCancel(context.Background())
	f.SetGate(func(_ context.Context, c providertest.Call) error {
		if c.Method == providertest.Open && c.N == 35 {
			cancel()
		}
		return nil
	})
	run, err := w.runIn(ctx)
	if !errs.Is(err, errs.Canceled) || run.Status != syncing.RunCanceled {
		t.Fatalf("a stopped run ends with %s, %v", run.Status, err)
	}
	w.sound(run)
	if s := w.current(); s.Failures != 0 || s.NextSyncAt == nil || s.NextSyncAt.After(w.clock()) || w.health.blames() != 0 {
		t.Errorf("a stop counts: %d failures, next %v", s.Failures, s.NextSyncAt)
	}
	f.SetGate(nil)
	again := w.ok()
	w.holds(want(f, keys...))
	if n := run.Ledger.Synced + again.Ledger.Synced; n != 60 || w.current().Totals.Discovered != 60 {
		t.Errorf("%d + %d items in two runs", run.Ledger.Synced, again.Ledger.Synced)
	}
	if n := f.Count(providertest.Open); n > 60+30 {
		t.Errorf("%d opens for 60 items", n)
	}
}

func TestADestinationThatFailsEndsTheRunNotTheItems(t *testing.T) {
	w, f, _ := single(t, providertest.FlatOptions{})
	bad := &failingSink{Sink: w.sink, err: errs.New(errs.Unavailable, "sink", "the disk is full: 1 % is free")}
	w.sink = bad
	for range syncing.FailureLimit + 1 {
		run, err := w.run()
		if !errs.Is(err, errs.Unavailable) || run.Status != syncing.RunFailed {
			t.Fatalf("run %s, %v", run.Status, err)
		}
	}
	s := w.current()
	if s.Status != syncing.Active || s.NextSyncAt == nil || s.LastError == nil || w.health.blames() != 0 {
		t.Errorf("after so many that would count: %s, %v, health %d", s.Status, s.LastError, w.health.blames())
	}
	w.letters(0)
	w.sink = bad.Sink
	w.ok()
	w.holds(want(f, "a", "big", "z"))
}

func TestALongThrottleIsNotWaitedFor(t *testing.T) {
	w, f, _ := single(t, providertest.FlatOptions{})
	f.Inject(providertest.Fault{Method: providertest.Changes, Times: 1, Action: providertest.Throttle(time.Hour)})
	before := w.clock()
	if run, err := w.run(); !errs.Is(err, errs.Throttled) || run.Status != syncing.RunCanceled || w.clock().Sub(before) > time.Minute {
		t.Errorf("run %s, %v after %v", run.Status, err, w.clock().Sub(before))
	}
	if next := w.current().NextSyncAt.Sub(before); next < time.Hour {
		t.Errorf("the next run is due in %v", next)
	}
}

func TestASyncWhoseDestinationCannotBeOpenedIsPutOff(t *testing.T) {
	w, f, _ := single(t, providertest.FlatOptions{})
	open := w.engine.Sinks
	w.engine.Sinks = func(context.Context, bucket.Bucket) (sink.Sink, error) {
		return nil, errs.New(errs.Unavailable, "sink", "the folder is not mounted")
	}
	if _, err := w.run(); !errs.Is(err, errs.Unavailable) {
		t.Fatal(err)
	}
	if s := w.current(); s.LastError == nil || !s.NextSyncAt.After(w.clock()) || s.RunCounter != 0 {
		t.Errorf("the sync says %v, next %v", s.LastError, s.NextSyncAt)
	}
	w.engine.Sinks = open
	w.ok()
	w.holds(want(f, "a", "big", "z"))
}

func TestASyncWaitsForItsConnection(t *testing.T) {
	w, f, _ := single(t, providertest.FlatOptions{})
	w.suspend(true)
	if _, err := w.run(); !errors.Is(err, engine.ErrConnectionNotActive) {
		t.Fatalf("it ran: %v", err)
	}
	s := w.current()
	if s.Failures != 0 || s.RunCounter != 0 || !s.NextSyncAt.After(w.clock()) || f.Count("") != 0 {
		t.Errorf("waiting counts: %+v", s)
	}
	w.suspend(false)
	w.ok()
	if w.health.good != 1 {
		t.Error("health did not hear of a good run")
	}
}
