//go:build mongo

package e2e

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// On a store that was initialised, a server that is killed amid its first run is
// followed by another, which ends with every object once.
func TestMongoMainJob(t *testing.T) {
	t.Parallel()
	const objects, killedAt = 300, 60
	from := newStorage(t, s3.Options{LogSize: 1})
	want := randomly(from, objects, mathrand.New(mathrand.NewPCG(3, 4)))
	dir := filepath.Join(t.TempDir(), "data")
	key := filepath.Join(t.TempDir(), "master.key")
	random := make([]byte, 96)
	_, _ = rand.Read(random)
	if err := os.WriteFile(key, random, 0o600); err != nil {
		t.Fatal(err)
	}
	there := database(t, mongoURI(t), key)
	serving := append([]string{"--shared-data-dir"}, there...)
	declined(t, on(t, dir, append([]string{"serve", "--listen", "127.0.0.1:0"}, serving...)...), 6, "mooring init")
	good(t, on(t, dir, append([]string{"init"}, there...)...))
	good(t, on(t, dir, append([]string{"init"}, there...)...)) // once is enough, twice does no harm

	s := StartAt(t, dir, serving...)
	slow := from.Inject(s3.Fault{Match: s3.On(s3.GetObject), Action: s3.Delay(20 * time.Millisecond)})
	j := s.connect(from, sourceBucket, nil)
	err := binary.Until(s.ctx, "some contents were read", func() (bool, error) { return from.Count(s3.GetObject) >= killedAt, nil })
	if err != nil {
		t.Fatal(err)
	}
	s.kill()
	if n := from.Count(s3.GetObject); n >= objects {
		t.Fatalf("%d contents were read before the server was killed: it was not amid its run", n)
	}
	slow.Remove()
	s = StartAt(t, dir, serving...)
	j.server = s
	j.pass()
	syncedOnce(t, j, objects)
	arrived(t, j, want)

	from.ResetRequests()
	j.want(j.again(), map[string]int64{"discovered": objects, "unchanged": objects})
	if n := from.Count(s3.GetObject); n != 0 {
		t.Errorf("a run without news read %d contents", n)
	}
	good(t, s.cli("", "audit", "verify"))
}
