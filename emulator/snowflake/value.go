package snowflake

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A cell is a value of a row: nil, or
//
//	decimal   NUMBER and DECFLOAT
//	float64   FLOAT
//	string    VARCHAR
//	bool      BOOLEAN
//	[]byte    BINARY
//	date      DATE
//	clock     TIME
//	stamp     the TIMESTAMPs
//	semi      VARIANT, OBJECT, ARRAY, GEOGRAPHY
type (
	date  int64 // days since 1970-01-01
	clock int64 // nanoseconds since midnight
	semi  string
	stamp struct {
		time.Time // TIMESTAMP_NTZ: its wall clock, as if it were UTC
		typ       Type
	}
)

// compare orders two cells of one type, neither nil.
func compare(a, b any) int {
	switch a := a.(type) {
	case decimal:
		return a.cmp(b.(decimal))
	case float64:
		return compareFloat(a, b.(float64))
	case string:
		return strings.Compare(a, b.(string))
	case bool:
		return cmp.Compare(rank(a), rank(b.(bool)))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	case date:
		return cmp.Compare(a, b.(date))
	case clock:
		return cmp.Compare(a, b.(clock))
	case stamp:
		return a.Compare(b.(stamp).Time)
	case semi:
		return strings.Compare(string(a), string(b.(semi)))
	}
	return 0
}

// compareFloat orders NaN above every number and equal to itself, as Snowflake
// does.
func compareFloat(a, b float64) int {
	if math.IsNaN(a) || math.IsNaN(b) {
		return cmp.Compare(rank(math.IsNaN(a)), rank(math.IsNaN(b)))
	}
	return cmp.Compare(a, b)
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// wireText is a cell as results hold it. NULL is nil.
func wireText(cell any, c Column) *string {
	if cell == nil {
		return nil
	}
	var text string
	switch v := cell.(type) {
	case decimal:
		if c.Type == DecFloat {
			text = v.scientific()
		} else {
			text = v.String()
		}
	case float64:
		text = floatText(v)
	case bool:
		text = strconv.Itoa(rank(v))
	case []byte:
		text = strings.ToUpper(hex.EncodeToString(v))
	case date:
		text = strconv.FormatInt(int64(v), 10)
	case clock:
		text = seconds(int64(v)/1e9, int64(v)%1e9, c.digits())
	case stamp:
		text = epoch(v.Time, c.digits())
		if v.typ == TimestampTZ {
			_, offset := v.Zone()
			text += " " + strconv.Itoa(offset/60+1440)
		}
	default:
		text = plain(cell)
	}
	return &text
}

// epoch is a time in seconds since 1970. Before that both parts count backwards:
// half a second before is -0.5.
func epoch(t time.Time, digits int) string {
	sec, nsec := t.Unix(), int64(t.Nanosecond())
	if sec >= 0 || nsec == 0 || digits == 0 {
		return seconds(sec, nsec, digits)
	}
	return "-" + seconds(-sec-1, 1e9-nsec, digits)
}

func seconds(sec, nsec int64, digits int) string {
	text := strconv.FormatInt(sec, 10)
	if digits > 0 {
		text += "." + fmt.Sprintf("%09d", nsec)[:digits]
	}
	return text
}

func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if abs := math.Abs(f); f == 0 || abs >= 1e-5 && abs < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// plain is a cell as text for people and for comparison.
func plain(cell any) string {
	switch v := cell.(type) {
	case nil:
		return "NULL"
	case decimal:
		return v.String()
	case float64:
		return floatText(v)
	case bool:
		return strconv.FormatBool(v)
	case []byte:
		return strings.ToUpper(hex.EncodeToString(v))
	case date:
		return v.time().Format(time.DateOnly)
	case clock:
		return time.Unix(0, int64(v)).UTC().Format("15:04:05.000000000")
	case stamp:
		if v.typ == TimestampNTZ {
			return v.Format("2006-01-02T15:04:05.000000000")
		}
		return v.Format("2006-01-02T15:04:05.000000000Z07:00")
	case semi:
		return string(v)
	case string:
		return v
	}
	return fmt.Sprint(cell)
}

func (d date) time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// dateOf is the day of a wall clock.
func dateOf(t time.Time) date {
	y, m, d := t.Date()
	sec := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()
	return date(sec / 86400) // whole days: no rounding
}

// clockOf is the time of day of a wall clock.
func clockOf(t time.Time) clock {
	h, m, s := t.Clock()
	return clock(time.Duration(h)*time.Hour+time.Duration(m)*time.Minute+time.Duration(s)*time.Second) + clock(t.Nanosecond())
}

// wall moves the wall clock of a time into another zone.
func wall(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.Date()
	h, min, s := t.Clock()
	return time.Date(y, m, d, h, min, s, t.Nanosecond(), zone)
}
