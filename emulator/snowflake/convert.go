package snowflake

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"time"
)

// cellOf makes a cell of a column from a Go value: nil, bool, integers, float64,
// *big.Int, string, []byte, time.Time, or anything encoding/json takes for
// semi-structured columns. Text is read as the column's type.
func cellOf(v any, c Column) (any, error) {
	switch v := v.(type) {
	case nil:
		if !c.Nullable {
			return nil, failf("100072", "NULL result in a non-nullable column %s", c.Name)
		}
		return nil, nil
	case decimal, date, clock, stamp, semi:
		return convert(v, c, time.UTC)
	case time.Time:
		return timeCell(v, c)
	}
	if c.semi() {
		return semiCell(v)
	}
	switch v := v.(type) {
	case int:
		return convert(newDecimal(int64(v)), c, time.UTC)
	case int64:
		return convert(newDecimal(v), c, time.UTC)
	case *big.Int:
		return convert(decimal{coef: v}, c, time.UTC)
	case bool, float64, string, []byte:
		return convert(v, c, time.UTC)
	}
	return nil, failf("001007", "a %T is no value of a column", v)
}

// timeCell keeps the wall clock for what has no zone.
func timeCell(t time.Time, c Column) (any, error) {
	switch c.Type {
	case TimestampNTZ:
		return cut(stamp{wall(t, time.UTC), c.Type}, c), nil
	case TimestampLTZ:
		return cut(stamp{t.UTC(), c.Type}, c), nil
	case TimestampTZ:
		return cut(stamp{t, c.Type}, c), nil
	case Date:
		return dateOf(t), nil
	case Time:
		return clockOf(t), nil
	}
	return nil, failf("001007", "a time is no value of a column of type %s", c.Type)
}

// semiCell takes text that is JSON as it is.
func semiCell(v any) (any, error) {
	if text, ok := v.(string); ok && json.Valid([]byte(text)) {
		return semi(text), nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, failf("100069", "Error parsing JSON: %v", err)
	}
	return semi(b), nil
}

// cut drops digits of a second that the type hasn't.
func cut(cell any, c Column) any {
	unit := time.Duration(math.Pow10(maxFraction - c.digits()))
	switch v := cell.(type) {
	case stamp:
		return stamp{v.Add(-time.Duration(v.Nanosecond()) % unit), v.typ}
	case clock:
		return v - v%clock(unit)
	}
	return cell
}

// convert casts a cell to a type, as CAST and the TO_ functions do. The zone is
// that of the session.
func convert(cell any, to Column, zone *time.Location) (any, error) {
	if cell == nil {
		return nil, nil
	}
	switch to.Type {
	case Number, Float, DecFloat:
		return convertNumber(cell, to)
	case Varchar:
		return textOf(cell), nil
	case Boolean:
		return convertBool(cell)
	case Date, Time, TimestampNTZ, TimestampLTZ, TimestampTZ:
		return convertTime(cell, to, zone)
	case Binary:
		switch v := cell.(type) {
		case []byte:
			return v, nil
		case string:
			b, err := hex.DecodeString(v)
			if err != nil {
				return nil, failf("100115", "The following string is not a legal hex-encoded value: '%s'", v)
			}
			return b, nil
		}
	default:
		switch v := cell.(type) {
		case semi:
			return v, nil
		case string, bool:
			return semiCell(v)
		case decimal:
			return semi(v.String()), nil
		}
	}
	return nil, mismatch(cell, to)
}

func mismatch(cell any, to Column) error {
	return failf("001007", "SQL compilation error: invalid type [%s] for parameter '%s'", typeOf(cell), to.Type)
}

func convertNumber(cell any, to Column) (any, error) {
	var d decimal
	switch v := cell.(type) {
	case decimal:
		d = v
	case bool:
		d = newDecimal(int64(rank(v)))
	case float64:
		if to.Type == Float {
			return v, nil
		}
		var ok bool
		if d, ok = parseDecimal(floatText(v)); !ok {
			return nil, failf("100039", "Numeric value '%s' is out of range", floatText(v))
		}
	case string:
		if to.Type == Float {
			if f, ok := specialFloat(v); ok {
				return f, nil
			}
		}
		var ok bool
		if d, ok = parseDecimal(v); !ok {
			return nil, failf("100038", "Numeric value '%s' is not recognized", v)
		}
	case semi:
		return convertNumber(strings.Trim(string(v), `"`), to)
	default:
		return nil, mismatch(cell, to)
	}
	switch to.Type {
	case Float:
		return d.float(), nil
	case DecFloat:
		return d.reduce(), nil
	}
	d, ok := d.fits(to)
	if !ok {
		return nil, failf("100039", "Numeric value '%s' is out of range", plain(cell))
	}
	return d, nil
}

func specialFloat(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "nan":
		return math.NaN(), true
	case "inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	}
	return 0, false
}

func convertBool(cell any) (any, error) {
	switch v := cell.(type) {
	case bool:
		return v, nil
	case decimal:
		return v.coef.Sign() != 0, nil
	case string:
		switch strings.ToLower(v) {
		case "true", "t", "yes", "y", "on", "1":
			return true, nil
		case "false", "f", "no", "n", "off", "0":
			return false, nil
		}
		return nil, failf("100037", "Boolean value '%s' is not recognized", v)
	}
	return nil, mismatch(cell, Column{Type: Boolean})
}

// textOf is a cell as a cast to VARCHAR writes it.
func textOf(cell any) string {
	switch v := cell.(type) {
	case clock:
		return format(time.Unix(0, int64(v)).UTC(), "HH24:MI:SS.FF9")
	case stamp:
		layout := "YYYY-MM-DD HH24:MI:SS.FF9"
		if v.typ != TimestampNTZ {
			layout += " TZHTZM"
		}
		return format(v.Time, layout)
	case semi:
		var text string
		if json.Unmarshal([]byte(v), &text) == nil {
			return text
		}
	}
	return plain(cell)
}

// typeOf is the type a cell belongs to.
func typeOf(cell any) Type {
	switch v := cell.(type) {
	case decimal:
		return Number
	case float64:
		return Float
	case bool:
		return Boolean
	case []byte:
		return Binary
	case date:
		return Date
	case clock:
		return Time
	case stamp:
		return v.typ
	case semi:
		return Variant
	}
	return Varchar
}
