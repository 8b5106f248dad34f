package web

import (
	"html/template"
	"strconv"
	"strings"
)

// bars is a chart of one or more values at each place, drawn on the server. A
// table with the same numbers stands beside it, since the picture is decoration
// to whoever can't see it.
type bars struct {
	Title  string
	Places []place
}

// place is one column of a chart.
type place struct {
	Label string // under the column, where there is room
	Title string // what a pointer shows
	Parts []part // from below
}

// part is a piece of a column.
type part struct {
	Value int64
	Class string // bar0, good, warn, bad or off
}

const (
	chartWidth, chartHeight = 640, 140
	chartFoot               = 24
)

// SVG draws the chart.
func (b bars) SVG() template.HTML {
	most := int64(1)
	for _, p := range b.Places {
		most = max(most, p.sum())
	}
	var out strings.Builder
	write := func(parts ...string) {
		for _, s := range parts {
			out.WriteString(s)
		}
	}
	write(`<svg class="chart" viewBox="0 0 `, strconv.Itoa(chartWidth), ` `, strconv.Itoa(chartHeight), `" role="img" aria-label="`, template.HTMLEscapeString(b.Title), `">`)
	const full = chartHeight - chartFoot - 4
	step := float64(chartWidth) / float64(max(len(b.Places), 1))
	every := max(1, len(b.Places)/5)
	for i, p := range b.Places {
		x, y := float64(i)*step, float64(chartHeight-chartFoot)
		write(`<g><title>`, template.HTMLEscapeString(p.Title), `</title>`)
		for _, part := range p.Parts {
			if part.Value <= 0 {
				continue
			}
			h := max(float64(part.Value)/float64(most)*full, 2)
			y -= h
			write(`<rect class="`, template.HTMLEscapeString(part.Class), `" x="`, decimal(x+step*.1), `" y="`, decimal(y), `" width="`, decimal(step*.8), `" height="`, decimal(h), `" rx="1"/>`)
		}
		write(`</g>`)
		if i%every == 0 {
			write(`<text x="`, decimal(x+step*.1), `" y="`, strconv.Itoa(chartHeight-4), `">`, template.HTMLEscapeString(p.Label), `</text>`)
		}
	}
	foot := strconv.Itoa(chartHeight - chartFoot)
	write(`<line class="axis" x1="0" y1="`, foot, `" x2="`, strconv.Itoa(chartWidth), `" y2="`, foot, `"/></svg>`)
	return template.HTML(out.String()) // all that is not markup of ours is escaped above
}

func (p place) sum() (n int64) {
	for _, x := range p.Parts {
		n += x.Value
	}
	return n
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
