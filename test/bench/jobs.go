package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"mooring/test/binary"
	"mooring/test/interop/s3server"
)

// bench is what all measurements share.
type bench struct {
	dir     string // everything is below it
	tools   string
	mooring string
	server  *s3server.Server
}

// sample is what one job took.
type sample struct {
	wall   time.Duration
	cpu    time.Duration // user and system time of the client
	memory int64         // its peak resident bytes
}

// tool brings a bucket to a folder. Called again for the same folder it finds
// nothing to do.
type tool struct {
	name string
	// fetch returns where the bucket's keys are found as files.
	fetch func(ctx context.Context, b *bench, bucket, to string) (root string, s sample, err error)
}

// parallel is how many objects the tools that leave it open transfer at once:
// what mooring does by default.
const parallel = "16"

func toolList() []tool {
	rclone := func(more ...string) func(context.Context, *bench, string, string) (string, sample, error) {
		return func(ctx context.Context, b *bench, bucket, to string) (string, sample, error) {
			args := append([]string{
				"copy", ":s3:" + bucket, to, "--s3-provider", "Other", "--s3-endpoint", b.server.URL, "--s3-region", b.server.Region, "--s3-env-auth",
				"--config", filepath.Join(b.dir, "rclone.conf"), "--transfers", parallel, "--checkers", parallel, "--fast-list",
			}, more...)
			s, err := b.measure(ctx, "rclone", args...)
			return to, s, err
		}
	}
	return []tool{
		{"mooring", fetchMooring},
		{"s5cmd", func(ctx context.Context, b *bench, bucket, to string) (string, sample, error) {
			s, err := b.measure(ctx, "s5cmd", "--endpoint-url", b.server.URL, "--log", "error", "sync", "s3://"+bucket+"/*", to+"/")
			return to, s, err
		}},
		{"rclone", rclone()},
		{"rclone --checksum", rclone("--checksum")},
	}
}

// round lets every tool fetch a data set, and the small one once more. Whose
// turn it is first changes from round to round.
func (b *bench) round(ctx context.Context, n int, set dataSet, t *table) error {
	all := toolList()
	for i := range all {
		tool := all[(i+n)%len(all)]
		to := filepath.Join(b.dir, "to")
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		jobs := []string{set.Name}
		if set.Name == "small" {
			jobs = append(jobs, "no change")
		}
		for _, job := range jobs {
			root, s, err := tool.fetch(ctx, b, set.Name, to)
			if err != nil {
				return fmt.Errorf("%s: %w", tool.name, err)
			}
			if err := b.delegate(ctx, task{Do: "check", Set: set, Root: root}); err != nil {
				return fmt.Errorf("%s: %w", tool.name, err)
			}
			t.add(job, tool.name, s)
			say("round %d  %-10s %-18s %6.2f s wall  %6.2f s CPU  %4d MiB", n+1, job, tool.name, s.wall.Seconds(), s.cpu.Seconds(), s.memory>>20)
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		syscall.Sync() // nobody waits for what another one has left to the disk
	}
	return nil
}

// measure runs a program to its end.
func (b *bench) measure(ctx context.Context, name string, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.tools, name), args...)
	cmd.Env = append(binary.Env(b.dir), "AWS_ACCESS_KEY_ID="+b.server.AccessKey, "AWS_SECRET_ACCESS_KEY="+b.server.SecretKey, "AWS_REGION="+b.server.Region)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(began)
	if err != nil {
		return sample{}, fmt.Errorf("%w: %s", err, out)
	}
	return sample{wall: wall}.of(cmd.ProcessState), nil
}

// of adds what a process used.
func (s sample) of(p *os.ProcessState) sample {
	s.cpu = p.UserTime() + p.SystemTime()
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		s.memory = u.Maxrss << 10
	}
	return s
}

// fetchMooring starts a server, lets it sync and stops it. Wall time is that of
// the sync, from the request that asks for it to its pass having ended; CPU and
// memory are those of the whole process, start and stop included.
func fetchMooring(ctx context.Context, b *bench, bucket, to string) (root string, s sample, err error) {
	data := filepath.Join(to, "data")
	srv, err := binary.Start(b.mooring, data, "--log-level", "info")
	if err != nil {
		return "", s, err
	}
	defer srv.Kill() //nolint:errcheck // stopped below, unless something went wrong
	key, err := srv.AdminKey()
	if err != nil {
		return "", s, err
	}
	j := job{API: binary.API{URL: srv.URL, Key: key}}
	if err := j.find(ctx); err != nil {
		return "", s, err
	}
	if j.bucket == "" {
		if err := j.prepare(ctx, b); err != nil {
			return "", s, err
		}
	}
	began := time.Now()
	if err := j.run(ctx, bucket); err != nil {
		return "", s, err
	}
	s.wall = time.Since(began)
	if err := srv.Stop(); err != nil {
		return "", s, err
	}
	return filepath.Join(data, "buckets", j.org, j.bucket), s.of(srv.State()), nil
}

// job is a bucket and its sync on a server.
type job struct {
	binary.API
	org, connection, bucket, sync string
	number                        int64
}

// find looks for what an earlier fetch has made.
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

func (j *job) prepare(ctx context.Context, b *bench) (err error) {
	from := binary.S3{Endpoint: b.server.URL, Region: b.server.Region, KeyID: b.server.AccessKey, Secret: b.server.SecretKey}
	if j.connection, err = j.Connect(ctx, "versitygw", from); err != nil {
		return err
	}
	if j.bucket, err = j.Bucket(ctx, "bench"); err != nil {
		return err
	}
	out, err := j.Want(ctx, http.MethodGet, binary.Path("buckets", j.bucket), nil)
	j.org = binary.Text(out, "internal_id")
	return err
}

// run makes the sync, which starts it, or triggers it.
func (j *job) run(ctx context.Context, bucket string) (err error) {
	if j.sync == "" {
		j.sync, err = j.Sync(ctx, j.bucket, j.connection, bucket, nil)
	} else {
		err = j.Trigger(ctx, j.bucket, j.sync)
	}
	if err == nil {
		_, err = j.WaitPass(ctx, j.bucket, j.sync, j.number)
	}
	return err
}
