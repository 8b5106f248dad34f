package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// growth has mooring alone sync sets that are four times as large each, watches
// its memory over the largest, and starts it on the result.
func growth(ctx context.Context, b *bench) (report string, err error) {
	var out strings.Builder
	out.WriteString("## As it grows\n\nmooring alone, objects of 1 KiB from the stub: fetched, then looked through with nothing changed, and a server started on the result.\n\n" +
		"| objects | fetched: wall, s | CPU each, µs | peak memory, MiB | unchanged: wall, s | CPU each, µs | peak memory, MiB | start to ready, ms | idle, MiB |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	var last grown
	for _, n := range []int{b.million / 16, b.million / 4, b.million} {
		if last, err = b.grow(ctx, dataSet{Name: "grown", Count: n, Size: 1 << 10, Generated: true}); err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "| %d |%s%s %d | %s |\n", n, last.first.row(n), last.second.row(n), last.ready.Milliseconds(), figure(mebibytes(last.idle)))
	}
	fmt.Fprintf(&out, "\nMemory while the %d were fetched, resident, in MiB:\n\n%s\n", b.million, last.chart())
	what := fmt.Sprintf("with %d objects: ", b.million)
	b.atMost(128, "MiB", what+"peak memory, fetching", mebibytes(last.first.memory))
	b.atMost(128, "MiB", what+"peak memory, nothing changed", mebibytes(last.second.memory))
	b.atMost(300, "ms", what+"start to ready", float64(last.ready)/float64(time.Millisecond))
	b.atMost(60, "MiB", what+"memory of the idle server", mebibytes(last.idle))

	out.WriteString("| objects of 64 MiB | fetched: wall, s | CPU each, µs | peak memory, MiB |\n|---|---|---|---|\n")
	for _, n := range []int{(b.large + 9) / 10, (b.large + 9) / 10 * 4, (b.large + 9) / 10 * 16} {
		if last, err = b.grow(ctx, dataSet{Name: "grown", Count: n, Size: 64 << 20, Generated: true}); err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "| %d |%s\n", n, last.first.row(n))
	}
	return out.String(), nil
}

// grown is what was seen of one size.
type grown struct {
	first, second sample
	memory        []int64 // at equal distances
	ready         time.Duration
	idle          int64
}

// rest is how long a server that has started is left alone before its memory
// counts as that of an idle one.
const rest = 3 * time.Second

func (b *bench) grow(ctx context.Context, set dataSet) (g grown, err error) {
	from, stop, err := b.emulated(ctx, set)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, stop(), os.RemoveAll(b.to)) }()
	if err := os.MkdirAll(b.to, 0o700); err != nil {
		return g, err
	}
	if g.first, g.memory, err = b.watched(ctx, set, from); err != nil {
		return g, err
	}
	say("%8d fetched    %s", set.Count, g.first)
	began := time.Now()
	j, err := b.serve(ctx, b.to, from)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, j.server.Stop()) }()
	g.ready = j.ready.Sub(began)
	time.Sleep(rest)
	g.idle = j.memory("VmRSS")
	if g.second, err = j.measured(ctx); err != nil {
		return g, err
	}
	say("%8d unchanged  %s  ready after %s, idle %d MiB", set.Count, g.second, g.ready.Round(time.Millisecond), g.idle>>20)
	return g, nil
}

// watched fetches a set for the first time and reads the server's memory meanwhile.
func (b *bench) watched(ctx context.Context, set dataSet, from remote) (s sample, memory []int64, err error) {
	j, err := b.serve(ctx, b.to, from)
	if err != nil {
		return s, nil, err
	}
	defer func() { err = errors.Join(err, j.server.Stop()) }()
	over, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			memory = append(memory, j.memory("VmRSS"))
			select {
			case <-over:
				return
			case <-time.After(time.Second):
			}
		}
	}()
	s, err = j.measured(ctx)
	close(over)
	<-watched
	if err == nil {
		err = b.delegate(ctx, task{Do: "check", Set: set, Root: j.root()})
	}
	return s, memory, err
}

// row is a sample as columns of a table.
func (s sample) row(n int) string {
	return fmt.Sprintf(" %s | %.0f | %s |", figure(s.wall.Seconds()), s.cpu().Seconds()/float64(n)*1e6, figure(mebibytes(s.memory)))
}

// chart draws the memory over a run.
func (g grown) chart() string {
	const points = 30
	var xs, ys []string
	for i := range min(points, len(g.memory)) {
		at := i * (len(g.memory) - 1) / max(1, min(points, len(g.memory))-1)
		xs, ys = append(xs, fmt.Sprint(at)), append(ys, fmt.Sprintf("%.0f", mebibytes(g.memory[at])))
	}
	return "```mermaid\nxychart-beta\n  x-axis \"seconds\" [" + strings.Join(xs, ", ") + "]\n  y-axis \"MiB\" 0 --> 160\n  line [" + strings.Join(ys, ", ") + "]\n```\n"
}
