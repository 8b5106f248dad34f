package api

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mooring/internal/errs"
	"mooring/internal/store"
)

// stamp is a time on the wire: UTC with milliseconds.
type stamp time.Time

const stampForm = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the one form.
func (t stamp) MarshalJSON() ([]byte, error) {
	return t.appendJSON(make([]byte, 0, len(stampForm)+2)), nil
}

// Schema documents it.
func (stamp) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// read takes RFC 3339, also without a zone, which then is UTC.
func (t *stamp) read(v any, at errs.Fields) {
	s, ok := v.(string)
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05Z07:00", time.DateOnly} {
		parsed, err := time.Parse(form, s)
		if parsed = parsed.UTC(); ok && err == nil && parsed.Year() >= 1 && parsed.Year() <= 9999 { // in UTC, as it is written
			*t = stamp(parsed.Truncate(time.Millisecond))
			return
		}
	}
	at.Add("datetime_parsing", "must be a time such as 2026-01-31T12:00:00Z")
}

func at(t time.Time) stamp { return stamp(t) }

// maybe is a time that may be missing; the zero time is.
func maybe(t *time.Time) *stamp {
	if t == nil || t.IsZero() {
		return nil
	}
	return new(stamp(*t))
}

func timeOf(s *stamp) *time.Time {
	if s == nil {
		return nil
	}
	return new(time.Time(*s))
}

// erasable is a time in a change that null erases.
type erasable struct {
	time  *time.Time
	erase bool
}

func (e *erasable) readsNull() {}

func (e *erasable) read(v any, at errs.Fields) {
	if v == nil {
		e.erase = true
		return
	}
	var s stamp
	s.read(v, at)
	e.time = timeOf(&s)
}

// Schema documents it.
func (erasable) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

// text is a string that is null when empty.
func text[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	return new(string(s))
}

// orEmpty makes sure that an empty map is not null.
func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// paging is how a client asks for a part of a list.
type paging struct {
	Limit        int    `query:"limit" minimum:"1" maximum:"1000" default:"10" doc:"how many at most"`
	Offset       int    `query:"offset" minimum:"0" maximum:"10000" doc:"how many to leave out; ignored with a cursor"`
	Cursor       string `query:"cursor" maxLength:"2000" doc:"next_cursor of the page before"`
	IncludeTotal bool   `query:"include_total" doc:"fill in total and total_pages"`
}

func (p paging) page() store.Page {
	return store.Page{Limit: p.Limit, Offset: p.Offset, Cursor: p.Cursor}
}

// pagination is how a list says which part it is.
type pagination struct {
	Total        *int64  `json:"total"`
	Page         *int64  `json:"page" doc:"from 1; null when a cursor was used"`
	PageSize     int     `json:"page_size"`
	TotalPages   *int64  `json:"total_pages"`
	NextPage     *string `json:"next_page"`
	PreviousPage *string `json:"previous_page"`
	NextCursor   *string `json:"next_cursor" doc:"null on the last page"`
}

// answer describes a page. total is negative where it is not known.
func (p paging) answer(next string, total int64) pagination {
	out := pagination{PageSize: p.Limit, NextCursor: text(next)}
	if p.Cursor == "" {
		out.Page = new(int64(p.Offset/p.Limit + 1))
	}
	if p.IncludeTotal && total >= 0 {
		out.Total = &total
		out.TotalPages = new((total + int64(p.Limit) - 1) / int64(p.Limit))
	}
	return out
}

// plain brings decoded JSON to types that a document keeps: numbers become
// int64 or float64. ok is false for a number that can't be kept exactly.
func plain(v any) (clean any, ok bool) {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, n >= -1<<53 && n <= 1<<53
		}
		f, err := v.Float64()
		return f, err == nil && !math.IsInf(f, 0) && strings.ContainsAny(v.String(), ".eE")
	case []any:
		out := make([]any, len(v))
		for i := range v {
			if out[i], ok = plain(v[i]); !ok {
				return nil, false
			}
		}
		return out, true
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if strings.ContainsRune(k, 0) {
				return nil, false
			}
			if out[k], ok = plain(e); !ok {
				return nil, false
			}
		}
		return out, true
	case string:
		return v, !strings.ContainsRune(v, 0)
	}
	return v, true
}
