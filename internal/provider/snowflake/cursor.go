package snowflake

import (
	"bytes"
	"encoding/json"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// The phases of an enumeration and of a feed.
const (
	phaseScan  = "scan"  // a snapshot: all rows, by key
	phaseFirst = "first" // the enumeration before a feed: likewise
	phaseRest  = "rest"  // the feed waits for a change
	phaseNulls = "nulls" // rows without a watermark, by key
	phaseNews  = "news"  // rows in the window, by watermark and key
)

// cursor says where to go on. From it alone any process reads the same page.
type cursor struct {
	Phase   string  `json:"phase"`
	Columns string  `json:"columns"`          // shape.fingerprint
	Config  string  `json:"config"`           // source.columnNames
	Key     *string `json:"key,omitempty"`    // of the last row
	At      string  `json:"at,omitempty"`     // its watermark, in phaseNews
	Copies  int     `json:"copies,omitempty"` // rows equal to the last one, told so far

	// The window of the feed's pass: inclusive, "" is unbounded.
	Low  string `json:"low,omitempty"`
	High string `json:"high,omitempty"`
	// What the pass ends with: the watermark up to which everything is known, and
	// the token that the table had before it was read.
	Mark  string `json:"mark,omitempty"`
	Token string `json:"token,omitempty"`
	Nulls int64  `json:"nulls,omitempty"` // rows without a watermark when it began
}

func (c cursor) encode() driver.Cursor {
	b, _ := json.Marshal(c)
	return b
}

// decode reads a cursor that was made for the same columns.
func decode(cur driver.Cursor, sh *shape) (cursor, error) {
	var c cursor
	d := json.NewDecoder(bytes.NewReader(cur))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil || d.More() {
		return c, dead("the cursor is not one of ours")
	}
	feed := sh.mark != nil
	switch c.Phase {
	case phaseScan:
		feed = !feed
	case phaseFirst, phaseRest, phaseNulls, phaseNews:
	default:
		return c, dead("the cursor is not one of ours")
	}
	if !feed || c.Columns != sh.fingerprint() {
		return c, dead("the columns are not what the cursor was made for")
	}
	return c, nil
}

func dead(msg string) error {
	return &errs.Error{Kind: errs.CursorExpired, Origin: errs.Provider, Scope: errs.ScopePath, Op: "snowflake.changes", Msg: msg}
}
