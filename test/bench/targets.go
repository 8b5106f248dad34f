package main

import "fmt"

// target is what mooring is to reach, and what was measured of it.
type target struct {
	what          string
	limit, figure float64
	unit          string // "×" of a ratio
	least         bool   // the limit is the least that is wanted, not the most
	noise         float64
}

// linkNoise is what two runs of one and the same command differ by over a link.
const linkNoise = 0.03

// atMost notes a figure that is to be no more than a limit.
func (b *bench) atMost(limit float64, unit, what string, figure float64) {
	b.targets = append(b.targets, target{what: what, limit: limit, unit: unit, figure: figure})
}

// atLeast notes a figure that is to be no less than a limit.
func (b *bench) atLeast(limit float64, unit, what string, figure float64) {
	b.targets = append(b.targets, target{what: what, limit: limit, unit: unit, figure: figure, least: true})
}

// ratio notes how much of what others take mooring may take, unless they did not
// take part.
func (b *bench) ratio(limit float64, what string, figure float64, compared bool) {
	if compared {
		b.atMost(limit, "×", what, figure)
	}
}

// noSlower notes a ratio that is to be 1 at most, but for noise.
func (b *bench) noSlower(what string, figure float64, compared bool) {
	if compared {
		b.targets = append(b.targets, target{what: what, limit: 1, unit: "×", figure: figure, noise: linkNoise})
	}
}

// String is a line of the table that begins the page.
func (t target) String() string {
	bound, reached := "at most ", t.figure <= t.limit
	if t.least {
		bound, reached = "at least ", t.figure >= t.limit
	}
	verdict := map[bool]string{true: "yes", false: "**missed**"}[reached]
	if !reached && t.figure <= t.limit+t.noise && t.noise > 0 {
		verdict = fmt.Sprintf("within %.2f, by which runs differ", t.noise)
	}
	return fmt.Sprintf("| %s | %s%s | %s | %s |\n", t.what, bound, t.quantity(t.limit), t.quantity(t.figure), verdict)
}

func (t target) quantity(v float64) string {
	switch {
	case t.unit == "×":
		return fmt.Sprintf("× %.2f", v)
	case v >= 1000:
		return fmt.Sprintf("%.0f %s", v, t.unit)
	}
	return fmt.Sprintf("%.3g %s", v, t.unit)
}

func (b *bench) summary() string {
	out := "| target | wanted | measured | reached |\n|---|---|---|---|\n"
	for _, t := range b.targets {
		out += t.String()
	}
	return out + "\n"
}
