package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// manyUnchanged looks for changes among many objects of a server that is not the
// bottleneck, where nothing has changed. s5cmd also lists them alone, which is less
// than any of the others does.
func manyUnchanged(ctx context.Context, b *bench) (report string, err error) {
	set := dataSet{Name: "many", Count: b.many, Size: 1 << 10, Generated: true}
	from, stop, err := b.emulated(ctx, set)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop()) }()
	tools := []tool{{"mooring", fetchMooring}, {"s5cmd", s5cmdSync}, {"rclone", rclone("--use-server-modtime", "--update")}, {"s5cmd ls", s5cmdList}}
	to := func(t tool) string { return filepath.Join(b.dir, "many", t.name) }
	defer os.RemoveAll(filepath.Join(b.dir, "many"))
	for _, t := range tools[:3] {
		s, err := b.fetched(ctx, t, set, from, to(t))
		if err != nil {
			return "", err
		}
		say("many, first   %-18s %s", t.name, s)
	}
	t := newTable()
	for n := range b.rounds {
		for i := range tools {
			tool := tools[(i+n)%len(tools)]
			s, err := b.fetched(ctx, tool, set, from, to(tool))
			if err != nil {
				return "", err
			}
			t.add("many", tool.name, s)
			say("round %d  %-10s %-18s %s", n+1, "many", tool.name, s)
		}
	}
	return fmt.Sprintf("## Nothing changed among %s\n\nFrom the emulator, rclone with `--use-server-modtime --update`, its fastest here. "+
		"`s5cmd ls` compares nothing.\n\n%s", set, t.rows("many")), nil
}
