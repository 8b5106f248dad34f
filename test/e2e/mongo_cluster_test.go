//go:build mongo

package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
	"mooring/test/mongoserver"
)

// cluster starts servers on one database.
type cluster struct {
	t     *testing.T
	ctx   context.Context
	root  string
	flags []string
	key   string // the admin key
	n     int
}

// clusterPatience covers leases that must run out and, in the long mode, a
// database that is gone for a minute.
const clusterPatience = 6 * time.Minute

// newCluster initialises a database that a URI names.
func newCluster(t *testing.T, uri string) *cluster {
	t.Helper()
	c := &cluster{t: t, root: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), clusterPatience)
	t.Cleanup(cancel)
	c.ctx = ctx
	key, file := filepath.Join(c.root, "master.key"), filepath.Join(c.root, "uri")
	random := make([]byte, 96)
	_, _ = rand.Read(random)
	for name, content := range map[string][]byte{key: random, file: []byte(uri)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.flags = []string{"--store-uri-file", file, "--master-key-file", key}
	first := filepath.Join(c.root, "0")
	good(t, on(t, first, append([]string{"init"}, c.flags...)...))
	c.key = read(t, first, "admin.key")
	return c
}

// start starts one more server. All have their content in one folder, where the
// first would have it by itself.
func (c *cluster) start() *server {
	c.t.Helper()
	dir := filepath.Join(c.root, fmt.Sprint(c.n))
	c.n++
	if err := os.MkdirAll(dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "admin.key"), []byte(c.key), 0o600); err != nil {
		c.t.Fatal(err)
	}
	s := StartAt(c.t, dir, append([]string{"--destination", c.content(), "--shared-data-dir"}, c.flags...)...)
	s.ctx = c.ctx
	return s
}

func (c *cluster) content() string { return filepath.Join(c.root, "0", "buckets") }

// at is a job as another server has it; its content is the first server's.
func (c *cluster) at(j *job, s *server) {
	process := *s.Server
	process.Dir = filepath.Join(c.root, "0")
	other := *s
	other.Server = &process
	j.server = &other
}

func (c *cluster) until(what string, holds func() bool) {
	c.t.Helper()
	if err := binary.Until(c.ctx, what, func() (bool, error) { return holds(), nil }); err != nil {
		c.t.Fatal(err)
	}
}

// Two servers share a database. The one that runs a sync, checks connections and
// sends to a receiver is killed: the other does all three. With both there, no
// message is sent twice.
func TestMongoTwoServers(t *testing.T) {
	t.Parallel()
	const objects, killedAt, news = 300, 60, 80
	from := newStorage(t, s3.Options{LogSize: 1})
	want := randomly(from, objects, mathrand.New(mathrand.NewPCG(5, 6)))
	c := newCluster(t, mongoserver.Database(mongoURI(t), mongoserver.NewName()))
	a := c.start()
	h := a.webhook()
	slow := from.Inject(s3.Fault{Match: s3.On(s3.GetObject), Action: s3.Delay(200 * time.Millisecond)})
	j := a.connect(from, sourceBucket, nil)
	one := connections + "/" + j.connection
	a.expect(http.StatusOK, http.MethodPatch, one, object{"check_interval_seconds": 60})
	c.until("some contents were read", func() bool { return from.Count(s3.GetObject) >= killedAt })
	b := c.start()
	h.server = b
	if n := from.Count(s3.GetObject); n >= objects {
		t.Fatalf("%d contents were read before the other server was there", n)
	}
	a.kill()
	killed := time.Now()
	slow.Remove()
	c.at(j, b)
	j.pass()
	syncedOnce(t, j, objects)
	arrived(t, j, want)
	c.told(h, j)
	c.until("the other server has checked the connection", func() bool {
		at, err := time.Parse(time.RFC3339, binary.Text(b.expect(http.StatusOK, http.MethodGet, one, nil), "last_checked_at"))
		return err == nil && at.After(killed)
	})
	sound(t, b, j)

	third := c.start()
	h.mu.Lock()
	h.again = 0
	h.mu.Unlock()
	for i := range news {
		from.put(fmt.Sprintf("new/%d", i), fmt.Sprintf("new content %d", i))
	}
	c.at(j, third)
	j.again()
	c.told(h, j)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.again != 0 {
		t.Errorf("%d messages were sent again, though no server was killed", h.again)
	}
}

// told waits until the receiver knows all that the bucket holds.
func (c *cluster) told(h *hook, j *job) {
	c.t.Helper()
	for _, o := range must(j.Objects(j.ctx, j.bucket))(c.t) {
		h.wait("object.created", binary.Text(o, "object_id"))
	}
	h.wait("sync.completed", j.sync)
}

// sound checks that nothing is held against the connection of a job.
func sound(t *testing.T, s *server, j *job) {
	t.Helper()
	got := s.expect(http.StatusOK, http.MethodGet, connections+"/"+j.connection, nil)
	if got["status"] != "ACTIVE" || binary.Int(got, "consecutive_failures") != 0 || got["last_error"] != nil {
		t.Errorf("the connection: %v", got)
	}
}
