//go:build unix && mongo

package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/mongoserver"
)

// The chaos of a cluster: for how long, and how much there is to be synced.
const (
	clusterVariable = "MOORING_TEST_CHAOS"
	usualChaos      = 40 * time.Second
	usualObjects    = 3000
	longChaos       = 2 * time.Minute
	longObjects     = 20_000
	members         = 4
	laterChanges    = 10              // after the first pass
	settleTime      = 8 * time.Minute // the server of the tests carries out one command at a time
)

// clusterChaos is what clusterVariable says, else usualChaos.
func clusterChaos(t *testing.T) (d time.Duration, objects int) {
	text := os.Getenv(clusterVariable)
	if text == "" {
		return usualChaos, usualObjects
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("%s is a time such as 2m, not %q", clusterVariable, text)
	}
	if d >= longChaos {
		return d, longObjects
	}
	return d, usualObjects
}

// TestCluster has four workers share a database while they are killed and stopped
// at random: the bucket becomes what the source is, each content is processed once,
// a sync is run by one worker at a time, and of a check that all of them make one
// counts.
func TestCluster(t *testing.T) {
	d, objects := clusterChaos(t)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MOORING_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d objects, %s of chaos, MOORING_TEST_SEED=%d", objects, d, seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	src := newStorage(t, rng)
	for i := range objects {
		src.put(t, fmt.Sprintf("bulk/%02d/%05d", i%40, i), content(rng, 20+rng.IntN(400)), s3.PutOptions{})
	}
	s := setup{Dir: t.TempDir(), Endpoint: src.URL(), Shards: 2, Page: 100, Mongo: database(t)}
	if err := s.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, s: s, rng: rng, members: make([]*child, members)}
	for i := range c.members {
		c.start(i)
	}
	t.Cleanup(c.end)
	w := &watch{t: t, s: s, src: src, rng: rng, processed: int64(len(src.objects))}
	w.open()
	// On a slow machine the first pass may take all of that: it goes on until passes over what has changed are disturbed too.
	for began := time.Now(); time.Since(began) < d || w.later < laterChanges && time.Since(began) < 3*d; {
		time.Sleep(time.Second + time.Duration(rng.Int64N(int64(2*time.Second))))
		c.disturb()
		w.change()
	}
	c.calm()
	w.settle()
	c.end()
	t.Logf("%d killed, %d stopped, %d changes of the source, %d of them after the first of %d passes", c.killed, c.stopped, w.changes, w.later, w.passes+2)
	checkAll(t, s, src, w.processed, w.deleted)
	w.counted()
	c.fences()
	if t.Failed() {
		keep(t, s)
	}
}

// database is one of the server that `make mongo` names.
func database(t *testing.T) string {
	if uri := mongoserver.Real(); uri != "" {
		return mongoserver.Database(uri, mongoserver.NewName())
	}
	server, err := mongoserver.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server.URI(mongoserver.NewName())
}

// cluster is the workers.
type cluster struct {
	t               *testing.T
	s               setup
	rng             *rand.Rand
	members         []*child
	killed, stopped int
}

// start starts a worker whose clock differs by minutes from all others.
func (c *cluster) start(i int) {
	s := c.s
	s.Skew = time.Duration(i-members/2) * 90 * time.Second
	c.members[i] = s.start(c.t)
}

// disturb kills a worker and starts another, or stops one for a while that may be
// longer than the term of its leases.
func (c *cluster) disturb() {
	i := c.rng.IntN(members)
	m := c.members[i]
	if c.rng.IntN(2) == 0 {
		c.killed++
		m.kill()
		c.start(i)
		return
	}
	c.stopped++
	_ = m.cmd.Process.Signal(syscall.SIGSTOP)
	time.AfterFunc(time.Duration(c.rng.Int64N(int64(3*clusterTerm))), func() { _ = m.cmd.Process.Signal(syscall.SIGCONT) })
}

func (c *cluster) calm() {
	for _, m := range c.members {
		_ = m.cmd.Process.Signal(syscall.SIGCONT)
	}
}

func (c *cluster) end() {
	for i, m := range c.members {
		if m != nil {
			m.kill()
			c.members[i] = nil
		}
	}
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	_ = c.log.Close()
}

// held is what logs say of one fence of a lease.
type held struct {
	by              string
	acquired, asked time.Time // asked: of the last renewal that was granted
}

// fences proves from the logs of all workers that nobody held a lease on a sync
// that another one had taken: each fence was given once, and the last renewal of
// one was asked for before the next was acquired.
func (c *cluster) fences() {
	c.t.Helper()
	logs, _ := filepath.Glob(filepath.Join(c.s.Dir, "worker-*.log"))
	all := map[int64]held{}
	for _, name := range logs {
		c.fencesIn(name, all)
	}
	order := slices.Sorted(maps.Keys(all))
	for i, f := range order {
		if i == 0 {
			continue
		}
		before := all[order[i-1]]
		if before.asked.After(all[f].acquired) {
			c.t.Errorf("%s renewed fence %d at %s, but %s had fence %d at %s", before.by, order[i-1], before.asked, all[f].by, f, all[f].acquired)
		}
	}
	holders := map[string]bool{}
	for _, h := range all {
		holders[h.by] = true
	}
	c.t.Logf("%d fences of the sync, held by %d workers", len(order), len(holders))
	if len(order) < 2 {
		c.t.Error("the lease never changed hands")
	}
}

func (c *cluster) fencesIn(name string, all map[int64]held) {
	c.t.Helper()
	f, err := os.Open(name)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var line struct {
			Time, Asked        time.Time
			Msg, Lease, Worker string
			Fence              int64
		}
		if json.Unmarshal(in.Bytes(), &line) != nil || line.Lease != "sync/"+string(c.s.IDs.Sync) || !strings.HasPrefix(line.Msg, "lease ") {
			continue // the last line of one that was killed
		}
		h := all[line.Fence]
		if h.by != "" && h.by != line.Worker {
			c.t.Errorf("%s and %s both held fence %d", h.by, line.Worker, line.Fence)
		}
		h.by = line.Worker
		switch line.Msg {
		case "lease acquired":
			h.acquired = line.Time
		case "lease renewed":
			h.asked = line.Asked
		}
		all[line.Fence] = h
	}
}
