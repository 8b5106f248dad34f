package snowflake

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"mooring/internal/errs"
)

// column is a column of a table.
type column struct {
	name string
	typ  string // as DESCRIBE says, without its arguments: NUMBER, TIMESTAMP_NTZ, …
	args string // in its parentheses
	coll bool   // has a collation: its order is not that of bytes
}

// shape is what a table's rows look like, and how they are read.
type shape struct {
	table   table
	columns []column
	keys    []column // primary_key_columns; none: the row's hash is its key
	mark    *column  // incremental_column
}

// newColumn reads a type as DESCRIBE writes it, e.g. "NUMBER(38,0)".
func newColumn(name, typ string) column {
	upper := strings.ToUpper(typ)
	c := column{name: name, coll: strings.Contains(upper, "COLLATE")}
	c.typ, c.args, _ = strings.Cut(upper, "(")
	c.typ = strings.TrimSpace(c.typ)
	if i := strings.IndexByte(c.typ, ' '); i > 0 {
		c.typ = c.typ[:i]
	}
	c.args, _, _ = strings.Cut(c.args, ")")
	switch c.typ {
	case "DECIMAL", "NUMERIC", "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT", "FIXED":
		c.typ = "NUMBER"
	case "TEXT", "STRING", "CHAR", "CHARACTER", "NCHAR", "NVARCHAR":
		c.typ = "VARCHAR"
	case "DOUBLE", "REAL", "FLOAT4", "FLOAT8":
		c.typ = "FLOAT"
	case "DATETIME", "TIMESTAMP":
		c.typ = "TIMESTAMP_NTZ"
	case "VARBINARY":
		c.typ = "BINARY"
	}
	return c
}

// scale of a NUMBER, as text.
func (c column) scale() string {
	_, scale, ok := strings.Cut(c.args, ",")
	if scale = strings.TrimSpace(scale); !ok || scale == "" {
		return "0"
	}
	return scale
}

func (c column) sql() string { return quote(c.name) }

// The formats that times are written in by the server: the driver rounds
// fractions of a second before 1970 the wrong way.
const (
	formatDate = `'YYYY-MM-DD'`
	formatTime = `'HH24:MI:SS.FF9'`
	formatNTZ  = `'YYYY-MM-DD"T"HH24:MI:SS.FF9'`
	formatTZ   = `'YYYY-MM-DD"T"HH24:MI:SS.FF9TZH:TZM'`
)

// value is the expression that a column is read by. Numbers and texts come as
// they are, the rest as text that the server makes.
func (c column) value() string {
	switch c.typ {
	case "NUMBER", "FLOAT", "DECFLOAT", "VARCHAR", "BOOLEAN", "BINARY":
		return c.sql()
	}
	return c.text()
}

// text is the expression of a value as text that tells all values of the type
// apart.
func (c column) text() string { return c.textOf(c.sql()) }

func (c column) textOf(expr string) string {
	switch c.typ {
	case "VARCHAR":
		if c.coll {
			return "COLLATE(" + expr + ", '')"
		}
		return expr
	case "DATE":
		return "TO_VARCHAR(" + expr + ", " + formatDate + ")"
	case "TIME":
		return "TO_VARCHAR(" + expr + ", " + formatTime + ")"
	case "TIMESTAMP_NTZ":
		return "TO_VARCHAR(" + expr + ", " + formatNTZ + ")"
	case "TIMESTAMP_LTZ", "TIMESTAMP_TZ":
		return "TO_VARCHAR(" + expr + ", " + formatTZ + ")"
	case "BINARY":
		return "TO_VARCHAR(" + expr + ", 'HEX')"
	case "VARIANT", "OBJECT", "ARRAY", "MAP":
		return "TO_JSON(" + expr + ")"
	case "GEOGRAPHY", "GEOMETRY":
		return "TO_JSON(ST_ASGEOJSON(" + expr + "))"
	}
	return "TO_VARCHAR(" + expr + ")"
}

// exact says whether a column's values are told apart by their text, which those
// of a FLOAT are not always.
func (c column) exact() bool { return c.typ != "FLOAT" }

// timed says whether a column holds points in time, in which an overlap is
// measured.
func (c column) timed() bool {
	return c.typ == "DATE" || strings.HasPrefix(c.typ, "TIMESTAMP_")
}

// bound is a bind of a watermark's text, as a value of the column's type. Floats
// are never bound: the driver rounds them to 32 bits.
func (c column) bound() string {
	switch c.typ {
	case "NUMBER":
		return "TO_NUMBER(?, 38, " + c.scale() + ")"
	case "DATE":
		return "TO_DATE(?)"
	case "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ":
		return "TO_" + c.typ + "(?)"
	}
	return "?"
}

// find finds a column by a name of the configuration: as it is, else whatever its
// case, unless it is quoted.
func find(columns []column, name string) (column, bool) {
	if exact, rest, ok := first(name); ok && rest == "" && strings.HasPrefix(name, `"`) {
		i := slices.IndexFunc(columns, func(c column) bool { return c.name == exact })
		if i < 0 {
			return column{}, false
		}
		return columns[i], true
	}
	var found []column
	for _, c := range columns {
		if c.name == name {
			return c, true
		}
		if strings.EqualFold(c.name, name) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return column{}, false
	}
	return found[0], true
}

// newShape finds the configured columns in a table.
func (s *source) newShape(op string, t table, columns []column) (*shape, error) {
	sh := &shape{table: t, columns: columns}
	for _, name := range s.keyNames {
		c, ok := find(columns, name)
		switch {
		case !ok:
			return nil, badPath(op, "a column of primary_key_columns is not in "+t.String())
		case !c.exact():
			return nil, badPath(op, "a FLOAT column can't identify rows: leave it out of primary_key_columns")
		}
		sh.keys = append(sh.keys, c)
	}
	if s.markName == "" {
		return sh, nil
	}
	c, ok := find(columns, s.markName)
	if !ok {
		return nil, badPath(op, "the incremental_column is not in "+t.String())
	}
	if !c.timed() && c.typ != "NUMBER" && c.typ != "VARCHAR" || c.coll {
		return nil, badPath(op, "the incremental_column must be a timestamp, a DATE, a NUMBER, or a VARCHAR without collation")
	}
	sh.mark = &c
	return sh, nil
}

// fingerprint tells whether a cursor was made for the same columns. Of a feed that
// is all of them: a column that is added, dropped or renamed changes every row,
// and no watermark tells of it.
func (sh *shape) fingerprint() string {
	var b strings.Builder
	write := func(columns []column) {
		for _, c := range columns {
			b.WriteString(c.name + "\x00" + c.typ + "\x00")
		}
		b.WriteByte(1)
	}
	write(sh.keys)
	if sh.mark != nil {
		write([]column{*sh.mark})
		write(sh.columns)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

func invalid(msg string) error {
	return &errs.Error{Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "snowflake.open", Msg: msg}
}
