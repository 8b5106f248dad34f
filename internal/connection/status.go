package connection

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"mooring/internal/audit"
	"mooring/internal/errs"
)

// ParseStatus reads a status as clients write it: in any case, and "paused" for SUSPENDED.
func ParseStatus(s string) Status {
	if s = strings.ToUpper(strings.TrimSpace(s)); s == "PAUSED" {
		return Suspended
	}
	return Status(s)
}

// Requested reads what a change asks for: status, else is_active. "" is
// nothing. What no client may ask for is noted in at.
func Requested(status *string, isActive *bool, at errs.Fields) Status {
	switch {
	case status != nil:
		switch s := ParseStatus(*status); s {
		case Active, Suspended, Archived:
			return s
		case Failed:
			at.Add("value_error", "FAILED is what checks find; ask for ACTIVE, SUSPENDED or ARCHIVED", "status")
		default:
			at.Add("enum", "must be ACTIVE, SUSPENDED or ARCHIVED", "status")
		}
	case isActive != nil && *isActive:
		return Active
	case isActive != nil:
		return Suspended
	}
	return ""
}

// Move is what a requested status asks of a connection in its present state.
type Move uint8

// The moves.
const (
	Stay      Move = iota // it is so already, or nothing was asked
	ToSuspend             // see Suspend
	ToResume              // needs a live test that passes; see Resume
	ToArchive             // see Archive
)

// Plan says what a requested status amounts to, or why it can't be, which is
// an errs.Conflict that names the state, the request and what would work.
func Plan(c *Connection, want Status) (Move, error) {
	switch {
	case want == Archived:
		return ToArchive, Alive(c, "be archived again")
	case c.Status == Archived && want == Active:
		return Stay, Alive(c, "be resumed")
	case c.Status == Archived && want == Suspended:
		return Stay, Alive(c, "be suspended")
	case c.Status == Failed && want == Active:
		return Stay, conflict(c, "be set ACTIVE by request", "test it, or correct provider_config: either makes it ACTIVE once the test passes")
	case c.Status == Suspended && want == Active:
		return ToResume, nil
	case c.Status != Suspended && want == Suspended:
		return ToSuspend, nil
	}
	return Stay, nil
}

// StatusRequest is a requested status with all that its move may need.
type StatusRequest struct {
	Want   Status
	By     audit.Actor
	Reason string   // of a suspension
	Passed *Attempt // the test that passed, for a resume
	Retain bool     // keep the credentials of an archived connection
}

// ApplyStatus makes the move that Plan says. A resume without a test that
// passed is an errs.Conflict.
func ApplyStatus(c *Connection, r StatusRequest, now time.Time) error {
	move, err := Plan(c, r.Want)
	if err != nil {
		return err
	}
	switch move {
	case ToSuspend:
		return Suspend(c, r.By, r.Reason, now)
	case ToArchive:
		return Archive(c, r.Retain, r.By, now)
	case ToResume:
		if r.Passed == nil {
			return conflict(c, "be resumed without a test", "resume it again")
		}
		return Resume(c, *r.Passed, r.By, now)
	}
	return nil
}

// sameJSON compares by what a client would see: what comes back from a store
// has other types than what was sent.
func sameJSON(a, b any) bool {
	x, errX := canonicalJSON(a)
	y, errY := canonicalJSON(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func canonicalJSON(v any) ([]byte, error) {
	j, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var plain any
	d := json.NewDecoder(bytes.NewReader(j))
	d.UseNumber()
	if err := d.Decode(&plain); err != nil {
		return nil, err
	}
	return json.Marshal(plain)
}
