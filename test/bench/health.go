package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
	"mooring/test/binary"
)

// checks has a server check connections that are all due, each once, against a
// stub in a process of its own.
func checks(ctx context.Context, b *bench) (report string, err error) {
	report = "## Health checks\n\nEach connection has credentials of its own, is checked once over plain HTTP, and all of them are due.\n\n" +
		"| connections | wall, s | checks a second | CPU of the server, µs each | peak memory, MiB |\n|---|---|---|---|---|\n"
	var s sample
	for _, n := range []int{b.checks / 16, b.checks / 4, b.checks} {
		if s, err = b.checked(ctx, n); err != nil {
			return "", err
		}
		say("%8d checks     %s", n, s)
		report += fmt.Sprintf("| %d | %s | %.0f | **%.0f** | %s |\n", n, figure(s.wall.Seconds()), float64(n)/s.wall.Seconds(),
			s.cpu().Seconds()/float64(n)*1e6, figure(mebibytes(s.memory)))
	}
	b.atMost(1, "ms", "one health check over plain HTTP: CPU of the server", s.cpu().Seconds()/float64(b.checks)*1e3)
	return report, nil
}

func (b *bench) checked(ctx context.Context, n int) (s sample, err error) {
	from, stop, err := b.emulated(ctx, dataSet{Name: "grown", Count: 1, Size: 1 << 10, Generated: true})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, stop(), os.RemoveAll(b.to)) }()
	if err := os.MkdirAll(b.to, 0o700); err != nil {
		return s, err
	}
	j, err := b.serve(ctx, b.to, from)
	if err != nil {
		return s, err
	}
	ids, err := j.fill(ctx, n-1) // besides its own
	if err = errors.Join(err, j.server.Stop()); err != nil {
		return s, err
	}
	due := time.Now().Add(5 * time.Second) // a server has started by then
	if err := j.makeDue(ctx, due, ids); err != nil {
		return s, err
	}
	if j, err = b.serve(ctx, b.to, from); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, j.server.Stop()) }()
	return j.sweep(ctx, n, due)
}

// fill makes more connections without a test of them.
func (j *job) fill(ctx context.Context, n int) (ids []string, err error) {
	ids = make([]string, n+1)
	ids[n] = j.connection
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askers)
	config := binary.S3{Endpoint: j.from.URL, Region: j.from.Region, KeyID: j.from.AccessKey, Secret: j.from.SecretKey}.Config()
	for i := range n {
		group.Go(func() error {
			out, err := j.Want(ctx, http.MethodPost, binary.Path("organizations", "connections"), binary.Object{
				"name": fmt.Sprintf("connection %06d", i), "provider_type": "s3", "provider_config": config, "test_before_save": false,
			})
			ids[i] = binary.Text(out, "connection_id")
			return err
		})
	}
	return ids, group.Wait()
}

// makeDue lets the checks of connections that a stopped server has fall due at
// one time.
func (j *job) makeDue(ctx context.Context, at time.Time, ids []string) (err error) {
	st, err := sqlite.Open(ctx, sqlite.Options{Dir: j.server.Dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for _, c := range ids {
		group.Go(func() error {
			_, err := st.Connections().Update(ctx, id.Org(j.org), id.Connection(c), func(c *connection.Connection) error {
				c.NextCheckAt = &at
				return nil
			})
			return err
		})
	}
	return group.Wait()
}

// sweep waits until the server has made all checks, each of which is one request.
func (j *job) sweep(ctx context.Context, n int, due time.Time) (s sample, err error) {
	time.Sleep(time.Until(due))
	began := time.Now()
	user, system := j.cpu()
	before, err := j.requests(ctx)
	if err != nil {
		return s, err
	}
	err = binary.Until(ctx, "all are checked", func() (bool, error) {
		asked, err := j.requests(ctx)
		return asked-before >= n, err
	})
	if err != nil {
		return s, err
	}
	s.wall = time.Since(began)
	time.Sleep(time.Second) // what the last ones gave is stored
	s.user, s.system = j.cpu()
	s.user, s.system, s.memory = s.user-user, s.system-system, j.memory("VmHWM")
	healthy, err := j.Want(ctx, http.MethodPost, binary.Path("organizations", "connections", "list")+"?limit=1", binary.Object{"is_active": true})
	if err == nil && binary.Int(healthy, "total") != int64(n) {
		err = fmt.Errorf("%d of %d connections are healthy", binary.Int(healthy, "total"), n)
	}
	return s, err
}

// requests is how many the stub has had.
func (j *job) requests(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.from.URL+requestsPath, http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
