package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// sample is what one job took.
type sample struct {
	wall         time.Duration
	user, system time.Duration // of the client's processor time
	memory       int64         // its peak resident bytes
}

func (s sample) cpu() time.Duration { return s.user + s.system }

func (s sample) String() string {
	return fmt.Sprintf("%6.2f s wall  %6.2f s CPU (system %6.2f)  %4d MiB", s.wall.Seconds(), s.cpu().Seconds(), s.system.Seconds(), s.memory>>20)
}

// table holds all samples by job and tool, tools in the order that they came.
type table struct {
	tools   []string
	samples map[[2]string][]sample
}

func newTable() *table { return &table{samples: map[[2]string][]sample{}} }

func (t *table) add(job, tool string, s sample) {
	if !slices.Contains(t.tools, tool) {
		t.tools = append(t.tools, tool)
	}
	k := [2]string{job, tool}
	t.samples[k] = append(t.samples[k], s)
}

// measure is one figure of a sample.
type measure struct {
	name     string
	of       func(sample) float64
	compared bool
}

var (
	wall   = measure{"wall, s", func(s sample) float64 { return s.wall.Seconds() }, true}
	cpu    = measure{"client CPU, s", func(s sample) float64 { return s.cpu().Seconds() }, true}
	system = measure{"of it system", func(s sample) float64 { return s.system.Seconds() }, false}
	memory = measure{"peak memory, MiB", func(s sample) float64 { return mebibytes(s.memory) }, true}

	measures = []measure{wall, cpu, system, memory}
)

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// spread is the least, middle and greatest of a job's figures.
func (t *table) spread(job, tool string, m measure) (least, middle, most float64) {
	var all []float64
	for _, s := range t.samples[[2]string{job, tool}] {
		all = append(all, m.of(s))
	}
	slices.Sort(all)
	return all[0], (all[(len(all)-1)/2] + all[len(all)/2]) / 2, all[len(all)-1]
}

// own is the tool that the others are compared with.
const own = "mooring"

// rows are the lines of one job.
func (t *table) rows(job string) string {
	var b strings.Builder
	head, rule := "| tool |", "\n|---|"
	for _, m := range measures {
		head, rule = head+" "+m.name+" |", rule+"---|"
		if m.compared {
			head, rule = head+" mooring takes |", rule+"---|"
		}
	}
	b.WriteString(head + rule + "\n")
	for _, tool := range t.tools {
		if len(t.samples[[2]string{job, tool}]) == 0 {
			continue
		}
		b.WriteString("| " + tool + " |")
		for _, m := range measures {
			least, middle, most := t.spread(job, tool, m)
			fmt.Fprintf(&b, " %s / **%s** / %s |", figure(least), figure(middle), figure(most))
			if m.compared {
				of, compared := t.beside(job, m, tool)
				b.WriteString(map[bool]string{true: fmt.Sprintf(" × %.2f", of)}[compared && tool != own] + " |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// beside is what part mooring takes of what another takes: of the least of the
// others, where several begin with a name. false: none took part.
func (t *table) beside(job string, m measure, name string) (of float64, compared bool) {
	_, ours, _ := t.spread(job, own, m)
	for _, tool := range t.tools {
		if !strings.HasPrefix(tool, name) || len(t.samples[[2]string{job, tool}]) == 0 {
			continue
		}
		if _, theirs, _ := t.spread(job, tool, m); !compared || ours/theirs > of {
			of, compared = ours/theirs, true
		}
	}
	return of, compared
}

// most is the most that mooring took in any round.
func (t *table) most(job string, m measure) float64 {
	_, _, most := t.spread(job, own, m)
	return most
}

func figure(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

const top = `# Benchmarks

Mooring beside s5cmd and rclone: what a client takes to fetch the same objects from the same S3 server, and what mooring
takes alone. Written by ` + "`make bench`" + `, which builds the tools, serves the data on loopback and needs no network.

%s**How.** Each tool does each job in turn, %d rounds in one run, and whose turn it is first changes from round to round.
Figures are least / **median** / greatest of the rounds; "mooring takes" is the ratio of the medians, below 1 where mooring
takes less. CPU is user and system time of the client process, memory its peak resident size, both from rusage; the
server's are not counted, though it shares the machine's processors, so that wall time is the server's as much as the
client's. What arrived is checked after each job: every size, and every content of up to
512 MiB, else of some.

**What is compared is not the same work.** Mooring hashes every object with SHA-256, verifies it against the provider's
checksum, makes it durable (fsync) before it counts, and records it in a catalogue that a killed run resumes from; s5cmd
and rclone write files. Mooring's wall and CPU time are those of its server (API and database included) from the request for a
sync to the end of it, its memory the peak of the process from its start. Files are written to a disk in memory unless -work
says otherwise: what an ext4 takes to create files differs by a factor between two runs of one and the same command.

| tool | version | flags |
|---|---|---|
| mooring | this tree | defaults |
| s5cmd | %s | ` + "`sync`" + `, defaults (256 workers) |
| rclone | %s | ` + "`copy --transfers %s --checkers %s --fast-list`" + `; with ` + "`--checksum`" + ` it compares by hash instead of time |
| versitygw | %s | posix backend, keep-alive |

Machine: %s.

`

// intro is the top of the page.
func (b *bench) intro(ctx context.Context, machine string) string {
	return fmt.Sprintf(top, b.summary(), b.rounds, b.version(ctx, "s5cmd"), b.version(ctx, "rclone"), parallel, parallel, b.version(ctx, "versitygw"), machine)
}

var versionNumber = regexp.MustCompile(`\d+\.\d+\.\d+[^\s,]*`)

// version is that of the module a tool was built from, else what it says itself.
func (b *bench) version(ctx context.Context, name string) string {
	file := filepath.Join(b.tools, name)
	if info, err := buildinfo.ReadFile(file); err == nil {
		for _, dep := range append(info.Deps, &info.Main) {
			if strings.HasPrefix(info.Path, dep.Path) && strings.HasPrefix(dep.Version, "v") {
				return strings.TrimPrefix(dep.Version, "v")
			}
		}
	}
	out, err := exec.CommandContext(ctx, file, "version").Output()
	if v := versionNumber.FindString(string(out)); err == nil && v != "" {
		return v
	}
	return "as pinned in tools/" + name
}

// machine is the class of the machine, without its name.
func machine() string {
	text := fmt.Sprintf("%d processors", runtime.NumCPU())
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*:\s*(.+)`).FindStringSubmatch(string(info)); m != nil {
			text += " (" + m[1] + ")"
		}
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kib); err == nil {
			text += fmt.Sprintf(", %d GiB of memory", (kib+1<<19)>>20)
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if now, _, ok := strings.Cut(string(load), " "); ok {
			text += ", load average " + now + " at the start"
		}
	}
	return text + ", " + runtime.GOOS + "/" + runtime.GOARCH + ", " + runtime.Version()
}

const closing = "Objects a second, or bytes, on a faster server or a slower network are other figures; CPU for each object is what\n" +
	"stays. The sections took: %s. Run it on your own machine: `make bench`, or `go run ./test/bench -rounds 3 -small 5000 -only transfers` for a quick look.\n"
