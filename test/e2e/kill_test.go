package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

const (
	killObjects = 600
	killRounds  = 5
	// underWay bounds what a killed run may have read without having recorded
	// it: in each of four shards one page of up to 500 is read while another
	// one is written; here each shard has fewer.
	underWay = killObjects
)

// randomly puts objects of random content into a storage and returns their hashes by their keys.
func randomly(from *storage, objects int, rng *rand.Rand) map[string]string {
	want := map[string]string{}
	for i := range objects {
		key := fmt.Sprintf("%c/%d/%04d.bin", 'a'+i%5, i%17, i)
		content := make([]byte, 200+rng.IntN(4000))
		for b := range content {
			content[b] = byte(rng.Uint32())
		}
		from.put(key, string(content))
		h := sha256.Sum256(content)
		want[key] = hex.EncodeToString(h[:])
	}
	return want
}

// A server that is killed while it syncs goes on after each restart, and ends
// with every object once.
func TestServerKilledInMidSync(t *testing.T) {
	from := newStorage(t, s3.Options{LogSize: 1})
	rng := rand.New(rand.NewPCG(1, 2))
	want := randomly(from, killObjects, rng)
	slow := from.Inject(s3.Fault{Match: s3.On(s3.GetObject), Action: s3.Delay(20 * time.Millisecond)})
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	kills := 0
	for range killRounds {
		at := from.Count(s3.GetObject) + 1 + rng.IntN(killObjects/killRounds)
		err := binary.Until(s.ctx, "more contents were read", func() (bool, error) {
			runs, err := j.Runs(s.ctx, j.bucket, j.sync)
			done := len(runs) > 0 && runs[len(runs)-1]["pass_ended"] == true
			return done || from.Count(s3.GetObject) >= at, err
		})
		if err != nil {
			t.Fatal(err)
		}
		s.kill()
		kills++
		s = StartAt(t, s.Dir)
		j.server = s
	}
	slow.Remove()
	j.pass()
	syncedOnce(t, j, killObjects)
	arrived(t, j, want)
	if n := from.Count(s3.GetObject); n < killObjects || n > killObjects+kills*underWay {
		t.Errorf("%d contents were read %d times after %d kills", killObjects, n, kills)
	}
	from.ResetRequests()
	j.want(j.again(), map[string]int64{"discovered": killObjects, "unchanged": killObjects})
	if n := from.Count(s3.GetObject); n != 0 {
		t.Errorf("a run without news read %d contents", n)
	}
}

// syncedOnce adds up the runs of a job, all of which have ended: together they brought each object once.
func syncedOnce(t *testing.T, j *job, objects int64) {
	t.Helper()
	runs := must(j.Runs(j.ctx, j.bucket, j.sync))(t)
	var synced int64
	for _, r := range runs {
		synced += binary.Ledger(r)["synced"]
		if !binary.Balanced(r) {
			t.Errorf("run %d does not balance: %v", binary.Int(r, "number"), binary.Ledger(r))
		}
		if r["status"] == "IN_PROGRESS" {
			t.Errorf("run %d never ended", binary.Int(r, "number"))
		}
	}
	if synced != objects {
		t.Errorf("%d runs synced %d objects, want %d: none twice", len(runs), synced, objects)
	}
}

// arrived compares catalogue and files with what the source holds.
func arrived(t *testing.T, j *job, want map[string]string) {
	t.Helper()
	onDisk := map[string]int{}
	all := files(t, j.server)
	for _, content := range all {
		h := sha256.Sum256([]byte(content))
		onDisk[hex.EncodeToString(h[:])]++
	}
	objects := must(j.Objects(j.ctx, j.bucket))(t)
	met := map[string]bool{}
	wrong := 0
	for _, o := range objects {
		path, hash := binary.Text(o, "source_path"), strings.TrimPrefix(binary.Text(o, "content_hash"), "sha256:")
		if met[path] || want[path] != hash || onDisk[hash] != 1 {
			if wrong++; wrong > 10 {
				t.Fatal("and more")
			}
			t.Errorf("%s: twice %v, catalogue %s, source %s, files %d", path, met[path], hash, want[path], onDisk[hash])
		}
		met[path] = true
	}
	if len(objects) != len(want) || len(all) != len(want) {
		t.Errorf("%d objects and %d files, want %d", len(objects), len(all), len(want))
	}
}
