// Command bench measures mooring beside s5cmd and rclone on one machine, in one
// run, and writes a table of what each took. `make bench` runs it. Two servers are
// read from, on loopback: versitygw, a real one, which takes as much of the machine
// as its clients do, and the emulator, whose objects are generated, so that a
// million can be listed and the server is not what limits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"mooring/test/binary"
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

// bench is what all measurements share.
type bench struct {
	dir     string // everything is below it
	to      string // what is fetched
	disk    string // folder on a disk
	tools   string
	mooring string
	rounds  int
	small   int // objects
	large   int
	huge    int // MiB of one object
	many    int
	million int

	connections int
	checks      int
	missing     []string // programs that the user goes without
	targets     []target
}

// section is a part of the report. Sections follow one another: no two measure at
// a time.
type section struct {
	name string
	run  func(ctx context.Context, b *bench) (report string, err error)
}

var sections = []section{
	{"transfers", transfers}, {"disk", onDisk}, {"link", overLink}, {"many", manyUnchanged}, {"growth", growth}, {"health", checks}, {"api", readings},
}

func run(ctx context.Context) (err error) {
	if task := os.Getenv(taskEnv); task != "" {
		return perform(ctx, task)
	}
	b := &bench{}
	var (
		tools  = flag.String("tools", ".cache/bin", "`folder` of versitygw, s5cmd and rclone")
		out    = flag.String("o", "", "`file` to write the report to, in Markdown; only with all sections")
		work   = flag.String("work", memoryDisk(), "`folder` for data; one in memory takes the disk out of what is measured")
		absent = flag.String("without", "", "`programs` to go without, s5cmd or rclone; one that is missing is an error otherwise")
		only   = flag.String("only", "", "sections to run, a `pattern` (transfers, disk, link, many, growth, health, api)")
	)
	flag.StringVar(&b.disk, "disk", "", "`folder` on a disk, that of temporary files if empty")
	flag.IntVar(&b.rounds, "rounds", 3, "how often each tool does each job")
	flag.IntVar(&b.small, "small", 20_000, "small objects")
	flag.IntVar(&b.large, "large", 20, "large objects")
	flag.IntVar(&b.huge, "huge", 512, "size of a huge object, in MiB")
	flag.IntVar(&b.many, "many", 200_000, "objects of a large listing")
	flag.IntVar(&b.million, "million", 1_000_000, "objects of the largest run")
	flag.IntVar(&b.checks, "checks", 8_000, "health checks at most")
	flag.IntVar(&b.connections, "connections", 100_000, "connections that the API is asked for")
	flag.Parse()
	b.missing = strings.Fields(*absent)
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(*work, "mooring-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.to = filepath.Join(b.dir, "to")
	b.tools = must(filepath.Abs(*tools))
	if err := b.equipped(); err != nil {
		return err
	}
	if b.mooring, err = binary.Build(ctx, b.dir); err != nil {
		return err
	}
	report, err := b.report(ctx, chosen)
	say("\n%s", report)
	if err != nil || *out == "" || *only != "" {
		return err
	}
	return os.WriteFile(*out, []byte(report), 0o644)
}

// report runs sections one after the other. One that fails does not take with it
// what the others have measured.
func (b *bench) report(ctx context.Context, chosen *regexp.Regexp) (report string, err error) {
	on := machine()
	var times []string
	for _, s := range sections {
		if !chosen.MatchString(s.name) || ctx.Err() != nil {
			continue
		}
		began := time.Now()
		text, failed := s.run(ctx, b)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", s.name, failed))
			say("%s", err)
		}
		times = append(times, fmt.Sprintf("%s %s", s.name, time.Since(began).Round(time.Second)))
		say("%s", times[len(times)-1])
		report += text + "\n"
	}
	return b.intro(ctx, on) + report + fmt.Sprintf(closing, strings.Join(times, ", ")), errors.Join(err, ctx.Err())
}

// equipped says what is missing, before anything is measured.
func (b *bench) equipped() error {
	for _, program := range []string{"versitygw", "s5cmd", "rclone"} {
		if _, err := os.Stat(filepath.Join(b.tools, program)); err != nil && !slices.Contains(b.missing, program) {
			return fmt.Errorf("%w: run `tools/install %s`, or go without a peer with -without %s", err, program, program)
		}
	}
	return nil
}

// memoryDisk is a folder in memory, where the system has one.
func memoryDisk() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return ""
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
