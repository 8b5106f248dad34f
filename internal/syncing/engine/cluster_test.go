package engine_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/store"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
	"mooring/internal/worker"
)

// process is an engine of its own on the store of a world, with a clock that
// differs from that of all others.
type process struct {
	*engine.Engine
	id id.Worker
}

const shortTerm, longTerm = 400 * time.Millisecond, time.Minute

func (w *world) process(late, term time.Duration) *process {
	leases := (&worker.Worker{Store: w.store, System: w.store.System(), Log: slog.New(slog.DiscardHandler), Now: time.Now, Term: term}).Init()
	e := w.engine
	return &process{id: leases.ID(), Engine: &engine.Engine{
		Store: e.Store, Open: e.Open, Sinks: e.Sinks, Health: e.Health, Sleep: e.Sleep, Log: e.Log, Scratch: e.Scratch,
		Now: func() time.Time { return w.clock().Add(late) }, Claims: leases, Limits: engine.Limits{PageItems: 4, Shards: 2, Parts: 6, Transfers: 2},
	}}
}

func (p *process) run(w *world, fence int64) (syncing.Run, error) {
	return p.Run(context.Background(), w.org, w.sync, store.Lease{Fence: fence}, p.id)
}

// help helps as a worker does: again and again, until the run has ended.
func (p *process) help(w *world, until <-chan struct{}) error {
	for {
		if err := p.Help(context.Background(), w.org, w.sync, p.id); err != nil && !errs.Is(err, errs.Conflict) {
			return err
		}
		select {
		case <-until:
			return nil
		case <-time.After(time.Millisecond):
		}
	}
}

// opened counts the contents that each process has read, by key.
type opened struct {
	mu sync.Mutex
	by map[id.Worker]map[string]int
}

type whose struct{}

// mark has calls of a process say whose they are.
func (p *process) mark() *process {
	open := p.Open
	p.Open = func(ctx context.Context, org id.Org, c id.Connection) (engine.Source, error) {
		src, err := open(ctx, org, c)
		return marked{src, p.id}, err
	}
	return p
}

// marked is a source whose contents are read in the name of a process.
type marked struct {
	engine.Source
	id id.Worker
}

func (m marked) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	return m.Source.Open(context.WithValue(ctx, whose{}, m.id), item, off)
}

func many(n int) (*providertest.Flat, []string) {
	return flat(providertest.FlatOptions{PageSize: 8}, n)
}

// Several processes, whose clocks differ by minutes, work one pass: each item once,
// and one ledger over all.
func TestSeveralProcessesWorkOnePass(t *testing.T) {
	f, keys := many(240)
	w := newWorld(t, f, nil)
	lead, one, two := w.process(0, longTerm).mark(), w.process(-7*time.Minute, longTerm).mark(), w.process(11*time.Minute, longTerm).mark()
	got := &opened{by: map[id.Worker]map[string]int{}}
	var all sync.WaitGroup
	everybody := make(chan struct{})
	f.SetGate(func(ctx context.Context, c providertest.Call) error {
		if c.Method != providertest.Open {
			return nil
		}
		who, _ := ctx.Value(whose{}).(id.Worker)
		got.mu.Lock()
		if got.by[who] == nil {
			got.by[who] = map[string]int{}
			if len(got.by) == 3 {
				close(everybody)
			}
		}
		got.by[who][c.ID]++
		got.mu.Unlock()
		<-everybody // nobody goes on before each has begun
		return nil
	})
	over := make(chan struct{})
	for _, p := range []*process{one, two} {
		all.Go(func() {
			if err := p.help(w, over); err != nil {
				t.Errorf("a helper ended with %v", err)
			}
		})
	}
	run, err := lead.run(w, 1)
	close(over)
	all.Wait()
	if err != nil {
		t.Fatal(err)
	}
	w.check(run, syncing.Ledger{Discovered: 240, Synced: 240})
	w.sound(run)
	w.holds(want(f, keys...))
	times := map[string]int{}
	for _, by := range got.by {
		for k, n := range by {
			times[k] += n
		}
	}
	for k, n := range times {
		if n != 1 {
			t.Errorf("%q was read %d times", k, n)
		}
	}
	f.SetGate(nil)
	run, err = lead.run(w, 2)
	if err != nil {
		t.Fatal(err)
	}
	w.check(run, syncing.Ledger{Discovered: 240, Unchanged: 240})
}

// A helper that is stopped in the midst of a shard loses it. It can't append
// when it wakes up, and what it has read is read again by who took the shard.
func TestAHelperThatIsStoppedLosesItsShard(t *testing.T) {
	for _, at := range []string{engine.StepStaged, engine.StepReserved, engine.StepAppended, engine.StepPlaced, engine.StepCatalogue} {
		t.Run(at, func(t *testing.T) {
			f, keys := many(120)
			w := newWorld(t, f, nil)
			lead, helper := w.process(0, shortTerm).mark(), w.process(3*time.Minute, shortTerm).mark()
			stopped, wake := helper.stopAt(w, at)
			begun := make(chan struct{})
			var once sync.Once
			f.SetGate(func(ctx context.Context, c providertest.Call) error {
				if who, _ := ctx.Value(whose{}).(id.Worker); c.Method == providertest.Open && who == lead.id {
					once.Do(func() { close(begun) })
					<-stopped // the helper has its shard
				}
				return nil
			})
			over, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				<-begun
				ended <- helper.help(w, over)
			}()
			run, err := lead.run(w, 1)
			if err != nil {
				t.Fatal(err)
			}
			w.check(run, syncing.Ledger{Discovered: 120, Synced: 120})
			w.holds(want(f, keys...))
			f.SetGate(nil)
			for i := range keys {
				if i%5 == 0 {
					f.Put(keys[i], []byte("newer bytes"))
				}
			}
			if run, err = lead.run(w, 2); err != nil {
				t.Fatal(err)
			}
			close(wake)
			close(over)
			if err := <-ended; err != nil && !errs.Is(err, errs.Conflict) {
				t.Errorf("the helper ended with %v", err)
			}
			w.holds(want(f, keys...))
			w.sound(run)
			last, err := lead.run(w, 3)
			if err != nil {
				t.Fatal(err)
			}
			w.check(last, syncing.Ledger{Discovered: int64(len(w.objects())), Unchanged: int64(len(w.objects()))})
		})
	}
}

// stopAt stops a process when it comes to a step, as SIGSTOP does: it renews no
// lease, and finds no context ended, until it wakes.
func (p *process) stopAt(w *world, step string) (stopped, wake chan struct{}) {
	stopped, wake = make(chan struct{}), make(chan struct{})
	var once sync.Once
	p.Hooks.Step = func(s string) {
		if s == step {
			once.Do(func() {
				close(stopped)
				<-wake
			})
		}
	}
	p.Claims = frozen{w.store, p.id}
	return stopped, wake
}

// frozen takes leases and never renews them.
type frozen struct {
	st store.Store
	id id.Worker
}

func (c frozen) Claim(ctx context.Context, name string) (store.Claim, error) {
	seen, err := c.st.Leases().Read(ctx, name)
	if err == nil && seen.Holder != "" {
		err = errs.New(errs.Conflict, "test", "held")
	}
	if err != nil {
		return store.Claim{}, err
	}
	l, err := c.st.Leases().Acquire(ctx, seen, c.id, shortTerm)
	return store.Claim{Lease: l, Context: ctx, Release: func() {}}, err
}

// A process is stopped anywhere on the way of a page into the bucket. Others take
// the sync over, and deliver newer versions, under other names too. When it wakes,
// the newer bytes stay, and so do the newer rows.
func TestWhoWakesUpLateChangesNothing(t *testing.T) {
	engine.LookAlways()
	steps := engine.Steps()
	from, to := slices.Index(steps, engine.StepStaged), slices.Index(steps, engine.StepFolded)
	for _, at := range steps[from : to+1] {
		for _, phase := range []string{"first", "second"} {
			if phase == "first" && (at == engine.StepRemoved || at == engine.StepNotes) || phase == "second" && at == engine.StepReserved {
				continue // there is nothing to be removed or noted, or to be named
			}
			t.Run(at+"/"+phase, func(t *testing.T) { wakesLate(t, at, phase == "second") })
		}
	}
}

func wakesLate(t *testing.T, at string, second bool) {
	f, keys := flat(providertest.FlatOptions{PageSize: 8}, 12)
	w := newWorld(t, f, nil)
	late := w.process(5*time.Minute, shortTerm)
	late.Limits.Shards, late.Limits.Parts, late.Limits.Transfers = 1, 1, 1
	change := func(content string) {
		for i, k := range keys {
			switch i % 3 {
			case 0:
				f.Put(k, []byte(content+k))
			case 1:
				f.Put(k, []byte(strings.Repeat(content, i+1)))
			}
		}
	}
	if second { // what is there already is changed, and some of it goes
		if _, err := late.run(w, 1); err != nil {
			t.Fatal(err)
		}
		change("b")
		f.Delete(keys[2])
		f.Delete(keys[5])
	}
	stopped, wake := late.stopAt(w, at)
	ended := make(chan error, 1)
	go func() {
		_, err := late.run(w, 2)
		ended <- err
	}()
	select {
	case <-stopped:
	case err := <-ended:
		t.Fatalf("the step was not met: %v", err)
	}
	other := w.process(-5*time.Minute, shortTerm)
	other.Limits = late.Limits
	fence := int64(3)
	follow := func() syncing.Run {
		t.Helper()
		fence++
		run, err := other.run(w, fence)
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	time.Sleep(shortTerm) // of the lease on the shard, which is taken after it
	follow()
	follow()
	change("c")
	f.Put(keys[2], []byte("again"))
	f.Put(keys[5], []byte("again, longer"))
	follow()
	w.holds(want(f, keys...))
	before := fmt.Sprint(w.objects())
	close(wake)
	if err := <-ended; !errs.Is(err, errs.Conflict) {
		t.Errorf("who was stopped ends with %v", err)
	}
	w.holds(want(f, keys...))
	if after := fmt.Sprint(w.objects()); after != before {
		t.Errorf("the catalogue was changed:\n%s\n%s", before, after)
	}
	w.check(follow(), syncing.Ledger{Discovered: 12, Unchanged: 12})
	if s := w.current(); !s.Totals.Balanced() || s.Failures != 0 {
		t.Errorf("totals %v", s.Totals)
	}
}
