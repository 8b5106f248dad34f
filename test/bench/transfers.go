package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"mooring/test/interop/s3server"
)

// transfers fetches small and large objects from versitygw, and the small ones
// again when nothing has changed.
func transfers(ctx context.Context, b *bench) (report string, err error) {
	sets := []dataSet{{Name: "small", Count: b.small, Size: 4 << 10}, {Name: "large", Count: b.large, Size: 64 << 20}}
	from, stop, err := b.versitygw(ctx, sets...)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop()) }()
	t := newTable()
	for n := range b.rounds {
		for _, set := range sets {
			jobs := []string{set.Name}
			if set.Name == "small" {
				jobs = append(jobs, "unchanged")
			}
			from.Bucket = set.Name
			if err := b.round(ctx, n, t, b.without(fetchingTools()), set, from, jobs...); err != nil {
				return "", err
			}
		}
	}
	b.transferred(t)
	return "## " + sets[0].String() + "\n\n" + t.rows("small") + "\n## The same again, with nothing changed\n\n" + t.rows("unchanged") +
		"\n## " + sets[1].String() + "\n\n" + t.rows("large"), nil
}

// transferred notes what is to be reached by transfers.
func (b *bench) transferred(t *table) {
	of, compared := t.beside("small", cpu, "s5cmd")
	b.ratio(0.4, "small objects, cold: CPU, of s5cmd's", of, compared)
	of, compared = t.beside("small", wall, "s5cmd")
	b.ratio(0.6, "small objects, cold: wall time, of s5cmd's", of, compared)
	b.atMost(128, "MiB", "small objects, cold: peak memory", t.most("small", memory))
	of, compared = t.beside("large", wall, "rclone")
	b.ratio(0.8, "large objects, cold: wall time, of rclone's", of, compared)
	of, compared = t.beside("large", wall, "s5cmd")
	b.ratio(1.4, "large objects, cold: wall time, of s5cmd's", of, compared)
	b.atMost(128, "MiB", "large objects, cold: peak memory", t.most("large", memory))
}

// versitygw starts one that holds data sets.
func (b *bench) versitygw(ctx context.Context, sets ...dataSet) (from remote, stop func() error, err error) {
	server, err := s3server.Run(filepath.Join(b.tools, "versitygw"), filepath.Join(b.dir, "s3"))
	if err != nil {
		return from, nil, err
	}
	from = remote{URL: server.URL, Region: server.Region, AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	stop = func() error { return errors.Join(server.Stop(), os.RemoveAll(filepath.Join(b.dir, "s3"))) }
	for _, set := range sets {
		say("uploading %s", set)
		if err := b.delegate(ctx, task{Do: "upload", Set: set, Remote: from}); err != nil {
			return from, nil, errors.Join(err, stop())
		}
	}
	return from, stop, nil
}

// round lets every tool do jobs one after the other in a folder of its own. Whose
// turn it is first changes from round to round.
func (b *bench) round(ctx context.Context, n int, t *table, tools []tool, set dataSet, from remote, jobs ...string) error {
	for i := range tools {
		tool := tools[(i+n)%len(tools)]
		for _, job := range jobs {
			s, err := b.fetched(ctx, tool, set, from, b.to)
			if err != nil {
				return err
			}
			t.add(job, tool.name, s)
			say("round %d  %-10s %-18s %s", n+1, job, tool.name, s)
		}
		if err := os.RemoveAll(b.to); err != nil {
			return err
		}
		syscall.Sync() // nobody waits for what another one has left to the disk
	}
	return nil
}
