//go:build unix

package sqlite_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
)

func benchObject(org id.Org, b id.Bucket, c id.Connection, s id.Sync, n int) bucket.Object {
	k := fmt.Sprintf("archive/2024/%04d/photograph-%08d.jpeg", n/500, n)
	sum := sha256.Sum256([]byte(k))
	at := time.UnixMilli(1700000000000 + int64(n)).UTC()
	return bucket.Object{
		ID: id.ObjectOf(b, c, k), Org: org, Bucket: b, Connection: c, Sync: s, Provider: "s3",
		SourceID: key.Key(k), SourcePath: k, Name: k, Size: int64(n) * 7, Version: "etag:" + hex.EncodeToString(sum[:16]), MIME: "image/jpeg",
		SHA256: hex.EncodeToString(sum[:]), Verdict: "verified: md5", State: bucket.Present, CreatedAt: at, UpdatedAt: at,
		Blobs: []bucket.Blob{{Property: "content", Type: "image", MIME: "image/jpeg"}},
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func openBench(b *testing.B) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// fill upserts 100k objects in key order, a thousand at a time.
func fill(b *testing.B, s *sqlite.Store, org id.Org, bkt id.Bucket, c id.Connection) {
	b.Helper()
	sync := id.NewSync()
	batch := make([]bucket.Object, 0, 1000)
	for n := range 100_000 {
		batch = append(batch, benchObject(org, bkt, c, sync, n))
		if len(batch) == 1000 {
			if err := s.Catalogue().Upsert(b.Context(), org, bkt, batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

func BenchmarkUpsert100k(b *testing.B) {
	b.ReportAllocs()
	s := openBench(b)
	org := id.NewOrg()
	before := cpu()
	for b.Loop() {
		fill(b, s, org, id.NewBucket(), id.NewConnection())
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/(float64(b.N)*100_000), "cpu-µs/row")
}

// BenchmarkCommit appends a record of five hundred new objects, applies it to the
// catalogue and drops it.
func BenchmarkCommit(b *testing.B) {
	const objects = 500
	s := openBench(b)
	org, bkt, c, sync, pass := id.NewOrg(), id.NewBucket(), id.NewConnection(), id.NewSync(), id.NewPass()
	b.ReportAllocs()
	for seq := int64(1); b.Loop(); seq++ {
		r := syncing.Record{
			ID: syncing.RecordID(pass, "000", seq), Org: org, Sync: sync, Bucket: bkt, Pass: pass, Shard: "000", Seq: seq, Run: id.NewRun(), At: time.Now(),
			Ledger: syncing.Ledger{Discovered: objects, Synced: objects},
		}
		for n := range objects {
			o := benchObject(org, bkt, c, sync, int(seq)*objects+n)
			r.Put, r.Place = append(r.Put, o), append(r.Place, syncing.Placement{Staged: fmt.Sprint("s", n), Name: o.Name, Size: o.Size})
		}
		if err := s.Pages().Append(b.Context(), org, r); err != nil {
			b.Fatal(err)
		}
		if err := s.Catalogue().Upsert(b.Context(), org, bkt, r.Put); err != nil {
			b.Fatal(err)
		}
		if err := s.Pages().Drop(b.Context(), org, sync, []string{r.ID}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/objects, "µs/object")
}

func BenchmarkScan(b *testing.B) {
	b.ReportAllocs()
	s := openBench(b)
	org, bkt, c := id.NewOrg(), id.NewBucket(), id.NewConnection()
	fill(b, s, org, bkt, c)
	entries := 0
	for b.Loop() {
		var after key.Key
		for {
			page, err := s.Catalogue().Scan(b.Context(), org, bkt, c, after, "", 1000)
			if err != nil {
				b.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			entries += len(page)
			after = page[len(page)-1].SourceID
		}
	}
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkUpdateCAS(b *testing.B) {
	b.ReportAllocs()
	s := openBench(b)
	org := id.NewOrg()
	c := connection.Connection{ID: id.NewConnection(), Name: "c", Status: connection.Active, CreatedAt: time.Now()}
	if _, err := s.Connections().Insert(b.Context(), org, c); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Connections().Update(b.Context(), org, c.ID, func(c *connection.Connection) error { c.Failures++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdateBesideUpsert measures what somebody waits for while a bulk
// load goes on.
func BenchmarkUpdateBesideUpsert(b *testing.B) {
	s := openBench(b)
	org := id.NewOrg()
	c := connection.Connection{ID: id.NewConnection(), Name: "c", Status: connection.Active, CreatedAt: time.Now()}
	if _, err := s.Connections().Insert(b.Context(), org, c); err != nil {
		b.Fatal(err)
	}
	var waits []time.Duration
	for b.Loop() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			fill(b, s, org, id.NewBucket(), id.NewConnection())
		}()
		for loading := true; loading; {
			start := time.Now()
			if _, err := s.Connections().Update(b.Context(), org, c.ID, func(c *connection.Connection) error { c.Failures++; return nil }); err != nil {
				b.Fatal(err)
			}
			waits = append(waits, time.Since(start))
			select {
			case <-done:
				loading = false
			case <-time.After(time.Millisecond):
			}
		}
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(waits[len(waits)-1].Microseconds())/1000, "max-ms")
}
