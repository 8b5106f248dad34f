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
// tool.
func overLink(ctx context.Context, b *bench) (report string, err error) {
	set := dataSet{Name: "large", Count: b.large, Size: 64 << 20}
	from, stop, err := b.versitygw(ctx, set)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop()) }()
	address, end, err := b.background(ctx, task{Do: "throttle", Remote: from, Rate: gigabit})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, end()) }()
	from.URL, from.Bucket = address, set.Name
	t := newTable()
	for n := range b.rounds {
		if err := b.round(ctx, n, t, b.without(fetchingTools()), set, from, "link"); err != nil {
			return "", err
		}
	}
	of, compared := t.beside("link", wall, "s5cmd")
	b.ratio(1, "large objects over a link of 1 Gbit/s: wall time, of s5cmd's", of, compared)
	b.atMost(128, "MiB", "large objects over a link of 1 Gbit/s: peak memory", t.most("link", memory))
	return fmt.Sprintf("## %s over a link of 1 Gbit/s\n\nIts own least is %.1f s.\n\n%s", set, float64(set.Count)*float64(set.Size)/gigabit, t.rows("link")), nil
}

// throttle passes connections on; all that the server sends shares one rate.
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
			go pass(ctx, client, to.Host, limit)
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
