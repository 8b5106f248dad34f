package snowflake

import (
	"fmt"
	"strings"
	"time"
)

// The forms in which text is read as a time without a format: ISO 8601 with a T
// or a space, and up to nine digits of a second. Zones are read apart.
var (
	stampLayouts = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}
	zoneLayouts  = []string{"Z07:00", " Z07:00", "-0700", " -0700", " -07:00", ""}
)

// parseStamp reads a time, and says whether the text named a zone.
func parseStamp(text string, zone *time.Location) (time.Time, bool, bool) {
	for _, z := range zoneLayouts {
		for _, layout := range stampLayouts {
			if t, err := time.ParseInLocation(layout+z, text, zone); err == nil {
				return t, z != "", true
			}
		}
	}
	return time.Time{}, false, false
}

// convertTime casts to DATE, TIME and the TIMESTAMPs.
func convertTime(cell any, to Column, zone *time.Location) (any, error) {
	var t time.Time // its wall clock is what DATE, TIME and NTZ take
	switch v := cell.(type) {
	case string:
		return convertTimeText(v, to, zone)
	case stamp:
		switch v.typ {
		case TimestampNTZ:
			t = wall(v.Time, zone)
		case TimestampLTZ:
			t = v.In(zone)
		default:
			t = v.Time
		}
	case date:
		if to.Type == Time {
			return nil, mismatch(cell, to)
		}
		t = wall(v.time(), zone)
	case clock:
		if to.Type == Time {
			return cut(v, to), nil
		}
		return nil, mismatch(cell, to)
	case decimal:
		if to.Type == Time || to.Type == Date {
			return nil, mismatch(cell, to)
		}
		n := v.rescale(0).coef.Int64()
		if t = time.Unix(n, 0).UTC(); to.Type != TimestampNTZ {
			t = t.In(zone)
		}
	default:
		return nil, mismatch(cell, to)
	}
	return timeCell(t, to)
}

func convertTimeText(text string, to Column, zone *time.Location) (any, error) {
	text = strings.TrimSpace(text)
	if to.Type == Time {
		for _, layout := range []string{"15:04:05", "15:04"} {
			if t, err := time.Parse(layout, text); err == nil {
				return cut(clockOf(t), to), nil
			}
		}
		return nil, failf("100108", "Time '%s' is not recognized", text)
	}
	t, _, ok := parseStamp(text, zone)
	if !ok && to.Type == Date {
		return nil, failf("100040", "Date '%s' is not recognized", text)
	}
	if !ok {
		return nil, failf("100035", "Timestamp '%s' is not recognized", text)
	}
	return timeCell(t, to)
}

// elements are what a format may hold, the longer ones first.
var elements = []struct {
	name  string
	write func(time.Time) string
}{
	{"YYYY", func(t time.Time) string { return fmt.Sprintf("%04d", t.Year()) }},
	{"HH24", func(t time.Time) string { return t.Format("15") }},
	{"HH12", func(t time.Time) string { return t.Format("03") }},
	{"TZHTZM", func(t time.Time) string { return t.Format("-0700") }},
	{"TZH:TZM", func(t time.Time) string { return t.Format("-07:00") }},
	{"TZH", func(t time.Time) string { return t.Format("-07") }},
	{"TZM", func(t time.Time) string { return t.Format("-0700")[3:] }},
	{"MON", func(t time.Time) string { return t.Format("Jan") }},
	{"MM", func(t time.Time) string { return t.Format("01") }},
	{"DD", func(t time.Time) string { return t.Format("02") }},
	{"DY", func(t time.Time) string { return t.Format("Mon") }},
	{"MI", func(t time.Time) string { return t.Format("04") }},
	{"SS", func(t time.Time) string { return t.Format("05") }},
	{"AM", func(t time.Time) string { return t.Format("PM") }},
	{"PM", func(t time.Time) string { return t.Format("PM") }},
	{"YY", func(t time.Time) string { return t.Format("06") }},
}

// format writes a time in Snowflake's notation. What is between double quotes,
// and what is no element, stands for itself.
func format(t time.Time, layout string) string {
	var b strings.Builder
	for layout != "" {
		if rest, ok := strings.CutPrefix(layout, `"`); ok {
			var literal string
			literal, layout, _ = strings.Cut(rest, `"`)
			b.WriteString(literal)
			continue
		}
		n := writeElement(&b, t, layout)
		layout = layout[n:]
	}
	return b.String()
}

// writeElement writes what a layout begins with, and returns its length.
func writeElement(b *strings.Builder, t time.Time, layout string) int {
	upper := strings.ToUpper(layout[:min(len(layout), 8)])
	if strings.HasPrefix(upper, "FF") {
		count, n := maxFraction, 2
		if len(upper) > 2 && digit(upper[2]) {
			count, n = int(upper[2]-'0'), 3
		}
		b.WriteString(fmt.Sprintf("%09d", t.Nanosecond())[:count])
		return n
	}
	for _, e := range elements {
		if strings.HasPrefix(upper, e.name) {
			b.WriteString(e.write(t))
			return len(e.name)
		}
	}
	b.WriteByte(layout[0])
	return 1
}
