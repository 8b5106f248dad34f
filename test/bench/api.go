package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"mooring/internal/id"
	"mooring/internal/store/sqlite"
	"mooring/test/binary"
)

// reads are the requests that are asked for.
var reads = []struct {
	name string
	ask  func(url string, ids []string, n int64) (*http.Request, error)
}{
	{"one connection", func(url string, ids []string, n int64) (*http.Request, error) {
		return http.NewRequest(http.MethodGet, url+binary.Path("organizations", "connections", ids[n*7919%int64(len(ids))]), http.NoBody)
	}},
	{"a list of ten", func(url string, _ []string, _ int64) (*http.Request, error) {
		return http.NewRequest(http.MethodPost, url+binary.Path("organizations", "connections", "list")+"?limit=10", strings.NewReader("{}"))
	}},
}

// readings has a server asked for connections, as fast as it answers; with all of
// them stored also half as fast.
func readings(ctx context.Context, b *bench) (report string, err error) {
	from, stop, err := b.emulated(ctx, dataSet{Name: "grown", Count: 1, Size: 1 << 10, Generated: true})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop(), os.RemoveAll(b.to)) }()
	if err := os.MkdirAll(b.to, 0o700); err != nil {
		return "", err
	}
	report = fmt.Sprintf("## Reading the API\n\nOver HTTP and kept connections, %d at a time; the client shares the machine.\n\n"+
		"| connections stored | request | most a second | CPU of the server, µs each | a second for each processor used | p50 at half of the most, ms | p99, ms |\n"+
		"|---|---|---|---|---|---|---|\n", askers)
	var ids []string
	for _, n := range []int{b.connections / 16, b.connections / 4, b.connections} {
		rows, err := b.read(ctx, from, n, &ids)
		if err != nil {
			return "", err
		}
		report += rows
	}
	return report, nil
}

// read stores connections until there are n, and asks for them.
func (b *bench) read(ctx context.Context, from remote, n int, ids *[]string) (rows string, err error) {
	j, err := b.serve(ctx, b.to, from)
	if err != nil {
		return "", err
	}
	if err := j.server.Stop(); err != nil {
		return "", err
	}
	if len(*ids) > 0 {
		j.connection = (*ids)[0]
	}
	more, err := multiply(ctx, j, len(*ids), n)
	if err != nil {
		return "", err
	}
	*ids = append(*ids, more...)
	if j, err = b.serve(ctx, b.to, from); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, j.server.Stop()) }()
	for _, r := range reads {
		l := load{job: j, ids: *ids, ask: r.ask}
		most, err := l.run(ctx, rate.Inf)
		if err != nil {
			return "", err
		}
		each := most.cpu / time.Duration(len(most.took))
		core := float64(time.Second) / float64(each)
		rows += fmt.Sprintf("| %d | %s | %.0f | %d | **%.0f** |", n, r.name, most.rate(), each.Microseconds(), core)
		say("%8d connections, %s: %.0f a second, %s of CPU each", n, r.name, most.rate(), each.Round(time.Microsecond))
		if n < b.connections {
			rows += " | |\n"
			continue
		}
		half, err := l.run(ctx, rate.Limit(most.rate()/2))
		if err != nil {
			return "", err
		}
		rows += fmt.Sprintf(" %s | **%s** |\n", figure(half.quantile(0.5)), figure(half.quantile(0.99)))
		b.atLeast(4000, "a second", "reading "+r.name+": requests for each processor used", core)
		b.atMost(10, "ms", "reading "+r.name+" at half the rate: p99", half.quantile(0.99))
	}
	return rows, nil
}

// multiply stores copies of a connection of a stopped server, from one number to
// another. They are due for a check tomorrow.
func multiply(ctx context.Context, j *job, from, to int) (ids []string, err error) {
	st, err := sqlite.Open(ctx, sqlite.Options{Dir: j.server.Dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	like, err := st.Connections().Get(ctx, id.Org(j.org), id.Connection(j.connection))
	if err != nil {
		return nil, err
	}
	ids = make([]string, to-from)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for i := from; i < to; i++ {
		group.Go(func() error {
			c := like
			c.ID, c.Name = id.NewConnection(), fmt.Sprintf("connection %06d", i)
			c.CreatedAt = like.CreatedAt.Add(time.Duration(i) * time.Millisecond)
			at := time.Now().Add(24 * time.Hour)
			c.NextCheckAt = &at
			ids[i-from] = string(c.ID)
			_, err := st.Connections().Insert(ctx, c.Org, c)
			return err
		})
	}
	return ids, group.Wait()
}

// load asks for one thing again and again.
type load struct {
	*job
	ids []string
	ask func(url string, ids []string, n int64) (*http.Request, error)
}

const (
	askers  = 8
	loading = 6 * time.Second
)

// answered is what a load came to.
type answered struct {
	took  []time.Duration // of each request, in order of length
	in    time.Duration
	cpu   time.Duration // of the server
	begun time.Time
}

func (a answered) rate() float64 { return float64(len(a.took)) / a.in.Seconds() }

// quantile is in milliseconds.
func (a answered) quantile(q float64) float64 {
	return float64(a.took[int(q*float64(len(a.took)-1))]) / float64(time.Millisecond)
}

// run asks at a rate. A request's time begins when it was to be sent, so that one
// which waits for another that is slow counts the wait.
func (l load) run(ctx context.Context, r rate.Limit) (a answered, err error) {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: askers}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var number atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	user, system := l.job.cpu()
	a.begun = time.Now()
	for range askers {
		group.Go(func() error {
			var took []time.Duration
			for {
				n := number.Add(1)
				due := time.Now()
				if r != rate.Inf {
					due = a.begun.Add(time.Duration(float64(n) / float64(r) * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				if due.Sub(a.begun) > loading || ctx.Err() != nil {
					break
				}
				if err := l.once(client, n); err != nil {
					return err
				}
				took = append(took, time.Since(due))
			}
			mu.Lock()
			defer mu.Unlock()
			a.took = append(a.took, took...)
			return nil
		})
	}
	err = group.Wait()
	a.in = time.Since(a.begun)
	u, s := l.job.cpu()
	a.cpu = u + s - user - system
	slices.Sort(a.took)
	if err == nil && len(a.took) == 0 {
		err = errors.New("nothing was answered")
	}
	return a, err
}

func (l load) once(client *http.Client, n int64) error {
	req, err := l.ask(l.URL, l.ids, n)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+l.Key)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", req.URL.Path, res.Status)
	}
	return err
}
