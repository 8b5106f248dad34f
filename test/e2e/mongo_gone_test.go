//go:build mongo

package e2e

import (
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// How long the database is gone, and with MOORING_TEST_CHAOS.
const (
	usuallyGone = 12 * time.Second
	longGone    = time.Minute
)

// ends waits until a job's pass has ended. A run may say that the database did not
// answer: the next one is due a minute later, and is asked for here.
func (c *cluster) ends(j *job) {
	c.t.Helper()
	c.until("the pass has ended", func() bool {
		active := false
		for _, r := range must(j.Runs(c.ctx, j.bucket, j.sync))(c.t) {
			if r["pass_ended"] == true {
				j.number = binary.Int(r, "number")
				return true
			}
			if r["status"] == "FAILED" && r["reason"] != "the database does not answer" {
				c.t.Fatalf("a run failed: %v", r)
			}
			active = active || r["status"] == "IN_PROGRESS"
		}
		if !active {
			_, _ = j.Do(c.ctx, http.MethodPost, binary.Path("buckets", j.bucket, "syncs", j.sync, "trigger"), nil)
		}
		return false
	})
}

// A database that goes away amid a run of two servers, first silent and then
// refusing, loses nothing, doubles nothing and is held against no connection.
// Meanwhile the servers say that they are not ready.
func TestMongoGoesAway(t *testing.T) {
	t.Parallel()
	const objects, goneAt = 400, 80
	gone := usuallyGone
	if os.Getenv("MOORING_TEST_CHAOS") != "" {
		gone = longGone
	}
	from := newStorage(t, s3.Options{LogSize: 1})
	want := randomly(from, objects, mathrand.New(mathrand.NewPCG(7, 8)))
	p, uri := proxied(t)
	c := newCluster(t, uri)
	servers := []*server{c.start(), c.start()}
	ready := func(status int) func() bool {
		return func() bool {
			for _, s := range servers {
				if out, err := s.Do(c.ctx, http.MethodGet, "/readyz", nil); err != nil || out.Status != status {
					return false
				}
			}
			return true
		}
	}
	h := servers[1].webhook()
	slow := from.Inject(s3.Fault{Match: s3.On(s3.GetObject), Action: s3.Delay(200 * time.Millisecond)})
	j := servers[0].connect(from, sourceBucket, nil)
	c.until("some contents were read", func() bool { return from.Count(s3.GetObject) >= goneAt })
	p.hush()
	back := time.Now().Add(gone)
	if n := from.Count(s3.GetObject); n >= objects {
		t.Fatalf("%d contents were read before the database went away", n)
	}
	c.until("the servers say that they are not ready", ready(http.StatusServiceUnavailable))
	p.refuse()
	for i := 0; i == 0 || time.Now().Before(back); i++ {
		c.until("the servers still say that they are not ready", ready(http.StatusServiceUnavailable))
		time.Sleep(time.Second)
	}
	slow.Remove()
	p.mend()
	c.until("the servers are ready again", ready(http.StatusOK))
	c.ends(j)
	syncedOnce(t, j, objects)
	arrived(t, j, want)
	c.told(h, j)
	sound(t, servers[1], j)
	j.want(j.again(), map[string]int64{"discovered": objects, "unchanged": objects})
	good(t, servers[0].cli("", "audit", "verify"))
}
