package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// growth has mooring alone sync sets that are four times as large each, then the
// largest of all, over which its memory is watched, and starts it on the result.
func growth(ctx context.Context, b *bench) (report string, err error) {
	var out strings.Builder
	out.WriteString("## As it grows\n\nmooring alone, objects of 1 KiB from the emulator, first fetched, then looked through with nothing changed.\n\n" +
		"| objects | first: wall, s | CPU, s | CPU an object, µs | memory, MiB | unchanged: wall, s | CPU, s | CPU an object, µs | memory, MiB |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	var last grown
	for _, n := range []int{b.small, 4 * b.small, 16 * b.small, b.million} {
		if last, err = b.grow(ctx, n); err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "| %d |%s%s\n", n, last.first.row(n), last.second.row(n))
	}
	fmt.Fprintf(&out, "\nMemory while the %d were fetched, resident, in MiB:\n\n%s\n", b.million, last.chart())
	fmt.Fprintf(&out, "On a catalogue of %d objects the server was ready %s after its start, and took %s MiB when idle (%s more when asked for a page of "+
		"objects).\n", b.million, last.ready.Round(time.Millisecond), figure(mebibytes(last.idle)), figure(mebibytes(last.asked-last.idle)))
	return out.String(), nil
}

// grown is what was seen of one size.
type grown struct {
	first, second sample
	memory        []int64 // at equal distances
	ready         time.Duration
	idle, asked   int64
}

func (b *bench) grow(ctx context.Context, n int) (g grown, err error) {
	set := dataSet{Name: "grown", Count: n, Size: 1 << 10, Generated: true}
	from, stop, err := b.emulated(ctx, set)
	if err != nil {
		return g, err
	}
	to := filepath.Join(b.dir, "to")
	defer func() { err = errors.Join(err, stop(), os.RemoveAll(to)) }()
	if err := os.MkdirAll(to, 0o700); err != nil {
		return g, err
	}
	if g.first, g.memory, err = b.watched(ctx, set, from, to); err != nil {
		return g, err
	}
	say("%8d first      %s", n, g.first)
	began := time.Now()
	j, err := b.serve(ctx, to, from)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, j.server.Stop()) }()
	g.ready = j.ready.Sub(began)
	g.idle = j.memory("VmRSS")
	if _, err = j.Want(ctx, "POST", "/v1/buckets/"+j.bucket+"/objects/list?limit=100", map[string]any{}); err != nil {
		return g, err
	}
	g.asked = j.memory("VmRSS")
	if g.second, err = j.measured(ctx); err != nil {
		return g, err
	}
	say("%8d unchanged  %s  ready after %s", n, g.second, g.ready)
	return g, nil
}

// watched fetches a set for the first time and reads the server's memory meanwhile.
func (b *bench) watched(ctx context.Context, set dataSet, from remote, to string) (s sample, memory []int64, err error) {
	j, err := b.serve(ctx, to, from)
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
	return fmt.Sprintf(" %s | %s | %.0f | %s |", figure(s.wall.Seconds()), figure(s.cpu().Seconds()), s.cpu().Seconds()/float64(n)*1e6, figure(mebibytes(s.memory)))
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
