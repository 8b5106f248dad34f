package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mooring/test/binary"
)

// fetchMooring starts a server, lets it sync and stops it. Wall and CPU time are
// those from the request that asks for the sync to the end of its pass; memory is
// the peak of the process.
func fetchMooring(ctx context.Context, b *bench, from remote, to string) (root string, s sample, err error) {
	j, err := b.serve(ctx, to, from)
	if err != nil {
		return "", s, err
	}
	defer func() { err = errors.Join(err, j.server.Stop()) }()
	s, err = j.measured(ctx)
	return j.root(), s, err
}

// nothing is a filter that leaves everything out.
var nothing = binary.Object{"file_filters": binary.Object{"include_patterns": []string{"*.none"}}}

// listMooring lets a server list everything for a sync that leaves it out.
func listMooring(ctx context.Context, b *bench, from remote, to string) (root string, s sample, err error) {
	j, err := b.serve(ctx, to, from)
	if err != nil {
		return "", s, err
	}
	defer func() { err = errors.Join(err, j.server.Stop()) }()
	j.more = nothing
	s, err = j.measured(ctx)
	return "", s, err
}

// job is a bucket and its sync on a server of its own.
type job struct {
	binary.API
	server                        *binary.Server
	ready                         time.Time
	from                          remote
	org, connection, bucket, sync string
	number                        int64
	more                          binary.Object // of the sync
}

// serve starts a server on the data of an earlier one, or on none.
func (b *bench) serve(ctx context.Context, to string, from remote) (j *job, err error) {
	server, err := binary.Start(b.mooring, filepath.Join(to, "data"), "--log-level", "info")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = server.Kill()
		}
	}()
	j = &job{server: server, ready: time.Now(), from: from}
	key, err := server.AdminKey()
	if err != nil {
		return nil, err
	}
	j.API = binary.API{URL: j.server.URL, Key: key}
	if err := j.find(ctx); err != nil {
		return nil, err
	}
	if j.bucket == "" {
		err = j.prepare(ctx)
	}
	return j, err
}

// root is where the server places the objects of its bucket.
func (j *job) root() string { return filepath.Join(j.server.Dir, "buckets", j.org, j.bucket) }

// find looks for what an earlier server has made.
func (j *job) find(ctx context.Context) error {
	buckets, err := j.List(ctx, http.MethodPost, "/v1/buckets/list", nil)
	if err != nil || len(buckets) == 0 {
		return err
	}
	j.org, j.bucket = binary.Text(buckets[0], "internal_id"), binary.Text(buckets[0], "bucket_id")
	syncs, err := j.List(ctx, http.MethodPost, binary.Path("buckets", j.bucket, "syncs", "list"), nil)
	if err != nil || len(syncs) == 0 {
		return err
	}
	j.sync = binary.Text(syncs[0], "sync_config_id")
	runs, err := j.Runs(ctx, j.bucket, j.sync)
	if len(runs) > 0 {
		j.number = binary.Int(runs[len(runs)-1], "number")
	}
	return err
}

func (j *job) prepare(ctx context.Context) (err error) {
	from := binary.S3{Endpoint: j.from.URL, Region: j.from.Region, KeyID: j.from.AccessKey, Secret: j.from.SecretKey}
	if j.connection, err = j.Connect(ctx, "source", from); err != nil {
		return err
	}
	if j.bucket, err = j.Bucket(ctx, "bench"); err != nil {
		return err
	}
	out, err := j.Want(ctx, http.MethodGet, binary.Path("buckets", j.bucket), nil)
	j.org = binary.Text(out, "internal_id")
	return err
}

// measured makes the sync, which starts it, or triggers it, and waits for the
// end of the pass.
func (j *job) measured(ctx context.Context) (s sample, err error) {
	user, system := j.cpu()
	began := time.Now()
	if j.sync == "" {
		j.sync, err = j.Sync(ctx, j.bucket, j.connection, j.from.Bucket, j.more)
	} else {
		err = j.Trigger(ctx, j.bucket, j.sync)
	}
	if err != nil {
		return s, err
	}
	last, err := j.WaitPass(ctx, j.bucket, j.sync, j.number)
	if err != nil {
		return s, err
	}
	s.wall, j.number = time.Since(began), binary.Int(last, "number")
	s.user, s.system = j.cpu()
	s.user, s.system, s.memory = s.user-user, s.system-system, j.memory("VmHWM")
	return s, nil
}

// cpu is what the server has used so far, of which Linux tells in hundredths of
// a second (proc_pid_stat(5)).
func (j *job) cpu() (user, system time.Duration) {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", j.server.PID()))
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, 0
	}
	var u, s int64
	_, _ = fmt.Sscan(fields[11], &u)
	_, _ = fmt.Sscan(fields[12], &s)
	const tick = 10 * time.Millisecond
	return time.Duration(u) * tick, time.Duration(s) * tick
}

// memory is a figure of the server's memory in bytes: VmRSS is now, VmHWM the most
// that there was.
func (j *job) memory(name string) int64 {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", j.server.PID()))
	_, rest, _ := strings.Cut(string(raw), name+":")
	var kib int64
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}
