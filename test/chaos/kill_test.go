//go:build unix

package chaos

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/internal/syncing/engine"
)

// plan is what a seed decides.
type plan struct {
	shards, page  int
	first, second []death // of the workers of the first pass and of the second
}

// death ends a worker: at a step, or, where no step is named, after a time.
type death struct {
	at    kill
	after time.Duration
}

func (d death) String() string {
	if d.at.Step == "" {
		return d.after.String()
	}
	return fmt.Sprintf("%s/%d", d.at.Step, d.at.Nth)
}

// often says how many times the first and the second pass are sure to meet a
// step; a worker dies at one of these. Steps that are not listed are met once.
var often = map[string][2]int{
	engine.StepStaged: {30, 10}, engine.StepPlaced: {30, 10}, engine.StepReserved: {5, 2}, engine.StepSettled: {5, 2}, engine.StepAppended: {5, 2},
	engine.StepFiles: {5, 2}, engine.StepCatalogue: {5, 2}, engine.StepNotes: {5, 2}, engine.StepEvents: {5, 2}, engine.StepFolded: {5, 2},
}

// newPlan gives every step to every so many-th seed; one seed in five kills by
// the clock instead.
func newPlan(seed uint64) plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := plan{shards: 1 + rng.IntN(3), page: 3 + rng.IntN(6)}
	steps := engine.Steps()
	step := steps[seed/2%uint64(len(steps))]
	deaths, which := &p.first, 0
	if seed%2 == 1 || step == engine.StepRemoved { // nothing is removed in the first
		deaths, which = &p.second, 1
	}
	if seed%5 == 4 {
		for range 1 + rng.IntN(3) {
			*deaths = append(*deaths, death{after: time.Duration(rng.Int64N(int64(150 * time.Millisecond)))})
		}
		return p
	}
	if recovers(step) { // there must be something to recover from
		*deaths = append(*deaths, death{at: kill{engine.StepAppended, 1 + rng.IntN(2)}})
		if rng.IntN(2) == 0 {
			*deaths = append(*deaths, death{at: kill{step, 1}})
		}
	}
	*deaths = append(*deaths, death{at: kill{step, times(rng, step, which)}})
	for rng.IntN(3) == 0 { // and again on the way back
		next := steps[rng.IntN(len(steps))]
		*deaths = append(*deaths, death{at: kill{next, times(rng, next, which)}})
	}
	return p
}

func recovers(step string) bool {
	return step == engine.StepRedone || step == engine.StepFenced || step == engine.StepRecovered
}

func times(rng *rand.Rand, step string, pass int) int {
	if n := often[step][pass]; n > 0 {
		return 1 + rng.IntN(n)
	}
	return 1
}

// tally gathers what all seeds have met.
type tally struct {
	mu     sync.Mutex
	deaths map[string]int
	again  int // contents read more than once
	seeds  int // that were run
}

func (a *tally) died(d death) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := d.at.Step
	if name == "" {
		name = "(any moment)"
	}
	a.deaths[name]++
}

// seedsToRun is MOORING_TEST_SEEDS, else usualSeeds.
func seedsToRun(t *testing.T) int {
	text := os.Getenv("MOORING_TEST_SEEDS")
	if text == "" {
		return usualSeeds
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MOORING_TEST_SEEDS is a number such as 200, not %q", text)
	}
	return n
}

func TestKilledWorkers(t *testing.T) {
	seeds := seedsToRun(t)
	template := setup{Dir: t.TempDir()}
	if err := template.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := &tally{deaths: map[string]int{}}
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(seeds) {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				all.seeds++ // not yet in parallel
				t.Parallel()
				run(t, seed, template, all)
			})
		}
	})
	total := 0
	for _, name := range slices.Sorted(maps.Keys(all.deaths)) {
		t.Logf("%4d workers killed at %s", all.deaths[name], name)
		total += all.deaths[name]
	}
	t.Logf("%4d workers killed by %d seeds; %d contents were read again", total, all.seeds, all.again)
	if all.seeds < 2*len(engine.Steps()) || t.Failed() { // newPlan needs as many to come by every step
		return
	}
	if total < all.seeds {
		t.Errorf("%d seeds killed %d workers", all.seeds, total)
	}
	for _, step := range engine.Steps() {
		if all.deaths[step] == 0 {
			t.Errorf("no worker was killed at %s", step)
		}
	}
}

// run is one seed: a first pass, a changed source, a second pass, and a third
// that has nothing left to do.
func run(t *testing.T, seed uint64, template setup, all *tally) {
	p := newPlan(seed)
	t.Logf("shards %d, page %d, first pass %v, second pass %v", p.shards, p.page, p.first, p.second)
	rng := rand.New(rand.NewPCG(seed, 2))
	src := newStorage(t, rng)
	s := setup{Dir: t.TempDir(), Endpoint: src.URL(), IDs: template.IDs, Shards: p.shards, Page: p.page}
	if err := os.CopyFS(s.Dir, os.DirFS(template.Dir)); err != nil {
		t.Fatal(err)
	}
	processed := int64(len(src.objects))
	pass(t, s, src, p.first, len(src.objects), all)
	checkAll(t, s, src, processed, 0)

	news, gone := src.change(t, rng)
	processed += int64(news)
	deleted := int64(gone)
	pass(t, s, src, p.second, news, all)
	checkAll(t, s, src, processed, deleted)

	pass(t, s, src, nil, 0, all)
	checkAll(t, s, src, processed, deleted)
	if t.Failed() {
		keep(t, s)
	}
}

// pass lets workers die as planned and the last one finish. Of the contents
// that had to be read, those that were under way may be read again.
func pass(t *testing.T, s setup, src *storage, deaths []death, contents int, all *tally) {
	t.Helper()
	src.ResetRequests()
	killed := 0
	for _, d := range append(slices.Clone(deaths), death{}) {
		s.Kill = d.at
		c := s.start(t)
		var alarm *time.Timer
		if d.after > 0 {
			alarm = time.AfterFunc(d.after, func() { _ = c.cmd.Process.Kill() })
		}
		if c.wait(t) {
			killed++
			all.died(d)
		}
		if alarm != nil {
			alarm.Stop()
		}
	}
	reads := src.Count(s3.GetObject)
	// In each shard one page waits for its commit while the next one is read.
	if most := contents + killed*2*s.Page*s.Shards; reads > most || reads < contents {
		t.Errorf("%d contents were read %d times after %d kills: at most %d are under way in a worker", contents, reads, killed, most-contents)
	}
	all.mu.Lock()
	all.again += reads - contents
	all.mu.Unlock()
}

func checkAll(t *testing.T, s setup, src *storage, processed, deleted int64) {
	t.Helper()
	a := newAudit(t, s)
	defer a.close()
	a.content(src)
	a.ledgers(processed, deleted)
	a.events(src)
	a.tidy()
}

// keep shows the logs of the workers of a seed that failed.
func keep(t *testing.T, s setup) {
	t.Helper()
	logs, _ := filepath.Glob(filepath.Join(s.Dir, "worker-*.log"))
	for _, name := range logs {
		if out, err := os.ReadFile(name); err == nil && len(out) > 0 {
			t.Logf("%s:\n%s", filepath.Base(name), out)
		}
	}
}
