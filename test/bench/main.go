// Command bench measures mooring beside s5cmd and rclone on one machine, in one
// run: versitygw serves data sets on loopback, each tool fetches them in turn,
// over several rounds, and a table says what each took. `make bench` runs it.
//
// The client's CPU time and peak memory are those of its process (rusage); the
// server's are not counted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"mooring/test/binary"
	"mooring/test/interop/s3server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	if task := os.Getenv(taskEnv); task != "" {
		return perform(ctx, task)
	}
	var (
		tools  = flag.String("tools", ".cache/bin", "`folder` of versitygw, s5cmd and rclone")
		out    = flag.String("o", "", "`file` to write the report to, in Markdown")
		work   = flag.String("work", "", "`folder` for data (default: a temporary one)")
		rounds = flag.Int("rounds", 5, "how often each tool does each job")
		small  = flag.Int("small", 20_000, "small objects")
		large  = flag.Int("large", 20, "large objects")
	)
	flag.Parse()
	dir, err := os.MkdirTemp(*work, "mooring-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{dir: dir, tools: must(filepath.Abs(*tools))}
	if b.mooring, err = binary.Build(ctx, dir); err != nil {
		return err
	}
	b.server, err = s3server.Run(filepath.Join(b.tools, "versitygw"), filepath.Join(dir, "s3"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.Stop()) }()
	about := b.facts(ctx)
	sets := []dataSet{
		{Name: "small", Count: *small, Size: 4 << 10},
		{Name: "large", Count: *large, Size: 64 << 20},
	}
	for _, s := range sets {
		say("uploading %s", s)
		if err := b.delegate(ctx, task{Do: "upload", Set: s}); err != nil {
			return err
		}
	}
	t := newTable()
	for round := range *rounds {
		for _, s := range sets {
			if err := b.round(ctx, round, s, t); err != nil {
				return err
			}
		}
	}
	report := t.report(about, sets, *rounds)
	say("\n%s", report)
	if *out == "" {
		return nil
	}
	return os.WriteFile(*out, []byte(report), 0o644)
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
