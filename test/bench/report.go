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
)

// table holds all samples by job and tool.
type table struct{ samples map[[2]string][]sample }

func newTable() *table { return &table{map[[2]string][]sample{}} }

func (t *table) add(job, tool string, s sample) {
	k := [2]string{job, tool}
	t.samples[k] = append(t.samples[k], s)
}

// measure is one figure of a sample.
type measure struct {
	name string
	of   func(sample) float64
}

var measures = []measure{
	{"wall, s", func(s sample) float64 { return s.wall.Seconds() }},
	{"client CPU, s", func(s sample) float64 { return s.cpu.Seconds() }},
	{"peak memory, MiB", func(s sample) float64 { return float64(s.memory) / (1 << 20) }},
}

// spread is the least, middle and greatest of a job's figures.
func (t *table) spread(job, tool string, m measure) (least, middle, most float64) {
	var all []float64
	for _, s := range t.samples[[2]string{job, tool}] {
		all = append(all, m.of(s))
	}
	slices.Sort(all)
	return all[0], (all[(len(all)-1)/2] + all[len(all)/2]) / 2, all[len(all)-1]
}

// rows are the lines of one job.
func (t *table) rows(job string) string {
	var b strings.Builder
	b.WriteString("| tool |")
	for _, m := range measures {
		b.WriteString(" " + m.name + " | mooring takes |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|---|", len(measures)) + "\n")
	for _, tool := range toolList() {
		b.WriteString("| " + tool.name + " |")
		for _, m := range measures {
			least, middle, most := t.spread(job, tool.name, m)
			_, own, _ := t.spread(job, toolList()[0].name, m)
			ratio := fmt.Sprintf("× %.2f", own/middle)
			if tool.name == toolList()[0].name {
				ratio = ""
			}
			fmt.Fprintf(&b, " %s / **%s** / %s | %s |", figure(least), figure(middle), figure(most), ratio)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func figure(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

const intro = `# Benchmarks

Mooring beside s5cmd and rclone: what a client takes to fetch the same objects from the same S3 server. Written by
` + "`make bench`" + `, which builds the tools, serves the data with versitygw on loopback and needs no network.

**How.** Each tool does each job in turn, %d rounds in one run, and whose turn it is first changes from round to round.
Figures are least / **median** / greatest of the rounds; "mooring takes" is the ratio of the medians, below 1 where mooring
takes less. CPU is user and system time of the client process, memory its peak resident size, both from rusage; the
server's are not counted, though it shares the machine's processors, so that wall time is the server's as much as the
client's. What arrived is checked after each job.

**What is compared is not the same work.** Mooring hashes every object with SHA-256, verifies it against the provider's
checksum, makes it durable (fsync) before it counts, and records it in a catalogue that a killed run resumes from; s5cmd
and rclone write files. Mooring's CPU and memory are those of its server from start to stop (API and database included),
its wall time that of the sync.

| tool | version | flags |
|---|---|---|
| mooring | this tree | defaults |
| s5cmd | %s | ` + "`sync`" + `, defaults (256 workers) |
| rclone | %s | ` + "`copy --transfers %s --checkers %s --fast-list`" + `; with ` + "`--checksum`" + ` it compares by hash instead of time |
| versitygw | %s | posix backend, keep-alive |

Machine: %s.

`

// facts are what the report says of tools and machine.
type facts struct{ s5cmd, rclone, versitygw, machine string }

var versionNumber = regexp.MustCompile(`\d+\.\d+\.\d+[^\s,]*`)

func (b *bench) facts(ctx context.Context) facts {
	return facts{b.version(ctx, "s5cmd"), b.version(ctx, "rclone"), b.version(ctx, "versitygw"), machine()}
}

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

// report is the whole page.
func (t *table) report(f facts, sets []dataSet, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, intro, rounds, f.s5cmd, f.rclone, parallel, parallel, f.versitygw, f.machine)
	for _, s := range sets {
		fmt.Fprintf(&b, "## %s\n\n%s\n", s, t.rows(s.Name))
		if s.Name == "small" {
			fmt.Fprintf(&b, "## The same again, with nothing changed\n\n%s\n", t.rows("no change"))
		}
	}
	b.WriteString("Objects a second, or bytes, on a faster server or a slower network are other figures; CPU for each object is what\n" +
		"stays. Run it on your own machine: `make bench`, or `go run ./test/bench -rounds 3 -small 5000` for a quick look.\n")
	return b.String()
}
