package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"mooring/internal/connection/config"
)

// moment reads a time that may be missing.
func moment(v any) time.Time {
	switch t := v.(type) {
	case time.Time:
		return t.UTC()
	case *time.Time:
		if t != nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// when is a time for people, in UTC; "never" when there is none.
func when(v any) string {
	t := moment(v)
	if t.IsZero() {
		return "never"
	}
	return t.Format("2 Jan 2006 15:04 UTC")
}

// stamp is a time for machines.
func stamp(v any) string {
	if t := moment(v); !t.IsZero() {
		return t.Format(time.RFC3339)
	}
	return ""
}

// ago is how long ago a time was, or how soon it will be, in one unit.
func ago(now time.Time, v any) string {
	t := moment(v)
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	if d < 10*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	unit := func(n int64, name string) string {
		if n == 1 {
			return "1 " + name
		}
		return strconv.FormatInt(n, 10) + " " + name + "s"
	}
	switch {
	case d < time.Minute:
		return unit(int64(d/time.Second), "second")
	case d < time.Hour:
		return unit(int64(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return unit(int64(d/time.Hour), "hour")
	}
	return unit(int64(d/(24*time.Hour)), "day")
}

// bytesText is a size in decimal units, as storage providers count; "unknown" when negative.
func bytesText(n int64) string {
	if n < 0 {
		return "unknown"
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), 0
	for f >= 999.5 && unit < 5 {
		f, unit = f/1000, unit+1
	}
	return fmt.Sprintf("%.3g %s", f, [...]string{"B", "kB", "MB", "GB", "TB", "PB"}[unit])
}

// countText is a number with its thousands apart.
func countText(n any) string {
	s := fmt.Sprint(n)
	sign := ""
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		sign, s = "−", rest
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return sign + s
}

func providerTitle(name string) string {
	if s, ok := config.Lookup(name); ok {
		return s.Title
	}
	return name
}
