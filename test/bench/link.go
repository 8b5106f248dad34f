package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"

	"golang.org/x/time/rate"
)

// gigabit is the link's rate in bytes a second.
const gigabit = 1_000_000_000 / 8

// overLink fetches the large objects through a link that is slower than every
// tool, and one that is larger through connections that are.
func overLink(ctx context.Context, b *bench) (report string, err error) {
	set := dataSet{Name: "large", Count: b.large, Size: 64 << 20}
	one := dataSet{Name: "one", Count: 1, Size: b.huge << 20}
	from, stop, err := b.versitygw(ctx, set, one)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop()) }()
	t := newTable()
	if err := b.throttled(ctx, t, "link", task{Rate: gigabit}, set, from); err != nil {
		return "", err
	}
	if err := b.throttled(ctx, t, "connections", task{Rate: gigabit / 5, Each: true}, one, from); err != nil {
		return "", err
	}
	of, compared := t.beside("link", wall, "s5cmd")
	b.noSlower("large objects over a link of 1 Gbit/s: wall time, of s5cmd's", of, compared)
	b.atMost(128, "MiB", "large objects over a link of 1 Gbit/s: peak memory", t.most("link", memory))
	b.atMost(128, "MiB", "one huge object over connections of 200 Mbit/s: peak memory", t.most("connections", memory))
	return fmt.Sprintf("## %s over a link of 1 Gbit/s\n\nIts own least is %.1f s.\n\n%s\n## %s over connections of 200 Mbit/s each\n\nOne connection takes %.1f s.\n\n%s",
		set, float64(set.Count)*float64(set.Size)/gigabit, t.rows("link"), one, float64(one.Size)/(gigabit/5), t.rows("connections")), nil
}

// throttled lets every tool fetch a set, as often as there are rounds, from behind a proxy.
func (b *bench) throttled(ctx context.Context, t *table, job string, proxy task, set dataSet, from remote) (err error) {
	proxy.Do, proxy.Remote = "throttle", from
	address, end, err := b.background(ctx, proxy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	from.URL, from.Bucket = address, set.Name
	for n := range b.rounds {
		if err := b.round(ctx, n, t, b.without(fetchingTools()), set, from, job); err != nil {
			return err
		}
	}
	return nil
}

// throttle passes connections on; all that the server sends shares one rate, or
// each connection has one.
func (t task) throttle(ctx context.Context) error {
	to, err := url.Parse(t.Remote.URL)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	limit := rate.NewLimiter(rate.Limit(t.Rate), chunk)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			mine := limit
			if t.Each {
				mine = rate.NewLimiter(rate.Limit(t.Rate), chunk)
			}
			go pass(ctx, client, to.Host, mine)
		}
	}()
	untilStopped("http://" + l.Addr().String())
	return nil
}

const chunk = 256 << 10

func pass(ctx context.Context, client net.Conn, to string, limit *rate.Limiter) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	b := make([]byte, chunk)
	for {
		n, err := server.Read(b)
		if n > 0 && (limit.WaitN(ctx, n) != nil || !written(client, b[:n])) || err != nil {
			return
		}
	}
}

func written(w io.Writer, b []byte) bool {
	_, err := w.Write(b)
	return err == nil
}
