package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// manyUnchanged looks for changes where there are none, among sets from a server
// that is not the bottleneck, and lists the larger one alone.
func manyUnchanged(ctx context.Context, b *bench) (report string, err error) {
	for _, count := range []int{b.small, b.many} {
		text, err := b.unchanged(ctx, dataSet{Name: "many", Count: count, Size: 1 << 10, Generated: true}, count == b.many)
		if err != nil {
			return "", err
		}
		report += text
	}
	return report, nil
}

func (b *bench) unchanged(ctx context.Context, set dataSet, most bool) (report string, err error) {
	from, stop, err := b.emulated(ctx, set)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop(), os.RemoveAll(filepath.Join(b.dir, "many"))) }()
	t := newTable()
	if err := b.again(ctx, t, "unchanged", b.without(comparingTools()), set, from); err != nil {
		return "", err
	}
	limit := 0.65
	if most {
		limit = 0.55
	}
	what := fmt.Sprintf("nothing changed among %d: ", set.Count)
	of, compared := t.beside("unchanged", wall, "rclone")
	b.ratio(limit, what+"wall time, of rclone's", of, compared)
	of, compared = t.beside("unchanged", cpu, "rclone")
	b.ratio(0.7, what+"CPU, of rclone's", of, compared)
	b.atMost(128, "MiB", what+"peak memory", t.most("unchanged", memory))
	if err := b.again(ctx, t, "list", b.without(listingTools()), set, from); err != nil {
		return "", err
	}
	if of, compared := t.beside("list", wall, "s5cmd ls"); compared && most {
		b.atLeast(2, "×", "listing: keys a second, of s5cmd's", 1/of)
	}
	return fmt.Sprintf("## Nothing changed among %s\n\nFrom a stub that pages from memory. Mooring has fetched them before; what the others compare with was "+
		"written by the benchmark, and is newer. rclone with `--use-server-modtime --update` asks for nothing but listings: its fastest here.\n\n%s\n"+
		"Listed alone: `s5cmd ls` prints the keys; mooring lists for a sync whose filter leaves all of them out.\n\n%s\n",
		set, t.rows("unchanged"), t.rows("list")), nil
}

// again lets tools do a job again and again, each in a folder that holds what it
// has to find.
func (b *bench) again(ctx context.Context, t *table, job string, tools []tool, set dataSet, from remote) error {
	to := func(t tool) string { return filepath.Join(b.dir, "many", job, t.name) }
	for _, tool := range tools {
		switch {
		case job == "list":
		case tool.name == own:
			s, err := b.fetched(ctx, tool, set, from, to(tool))
			if err != nil {
				return err
			}
			say("first fetched by   %-18s %s", tool.name, s)
		default:
			if err := b.delegate(ctx, task{Do: "lay", Set: set, Root: to(tool)}); err != nil {
				return err
			}
		}
	}
	for n := range b.rounds {
		for i := range tools {
			tool := tools[(i+n)%len(tools)]
			s, err := b.fetched(ctx, tool, set, from, to(tool))
			if err != nil {
				return err
			}
			t.add(job, tool.name, s)
			say("round %d  %-10s %-18s %s", n+1, job, tool.name, s)
		}
	}
	return nil
}
