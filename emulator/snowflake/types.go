package snowflake

import (
	"fmt"
	"strings"
)

// Type is a Snowflake type.
type Type string

// The types of columns.
const (
	Number       Type = "NUMBER"
	Float        Type = "FLOAT"
	DecFloat     Type = "DECFLOAT"
	Varchar      Type = "VARCHAR"
	Boolean      Type = "BOOLEAN"
	Date         Type = "DATE"
	Time         Type = "TIME"
	TimestampNTZ Type = "TIMESTAMP_NTZ"
	TimestampLTZ Type = "TIMESTAMP_LTZ"
	TimestampTZ  Type = "TIMESTAMP_TZ"
	Binary       Type = "BINARY"
	Variant      Type = "VARIANT"
	Object       Type = "OBJECT"
	Array        Type = "ARRAY"
	Geography    Type = "GEOGRAPHY"
)

// wireNames are the types as results name them.
var wireNames = map[Type]string{
	Number: "fixed", Float: "real", DecFloat: "decfloat", Varchar: "text", Boolean: "boolean", Date: "date", Time: "time",
	TimestampNTZ: "timestamp_ntz", TimestampLTZ: "timestamp_ltz", TimestampTZ: "timestamp_tz", Binary: "binary",
	Variant: "variant", Object: "object", Array: "array", Geography: "object",
}

// typeNames are the names that a cast may use.
var typeNames = map[string]Type{
	"NUMBER": Number, "DECIMAL": Number, "NUMERIC": Number, "INT": Number, "INTEGER": Number, "BIGINT": Number,
	"FLOAT": Float, "DOUBLE": Float, "REAL": Float, "DECFLOAT": DecFloat,
	"VARCHAR": Varchar, "TEXT": Varchar, "STRING": Varchar, "CHAR": Varchar,
	"BOOLEAN": Boolean, "DATE": Date, "TIME": Time,
	"TIMESTAMP_NTZ": TimestampNTZ, "DATETIME": TimestampNTZ, "TIMESTAMP": TimestampNTZ,
	"TIMESTAMP_LTZ": TimestampLTZ, "TIMESTAMP_TZ": TimestampTZ,
	"BINARY": Binary, "VARIANT": Variant, "OBJECT": Object, "ARRAY": Array, "GEOGRAPHY": Geography,
}

const (
	maxPrecision  = 38
	maxVarchar    = 16_777_216 // characters
	maxBinary     = 8_388_608  // bytes
	maxFraction   = 9          // digits of a second
	noFraction    = -1         // Column.Scale of a time without fraction
	maxIdentifier = 255
)

// Column is a column of a table or of a result.
type Column struct {
	Name string // as stored; it is not folded
	Type Type
	// Precision of a NUMBER: 38 when zero.
	Precision int
	// Scale of a NUMBER, or the digits of a second of TIME and TIMESTAMP: 9 when
	// zero, none when -1.
	Scale    int
	Nullable bool
}

func (c Column) withDefaults() Column {
	if c.Type == Number && c.Precision == 0 {
		c.Precision = maxPrecision
	}
	if c.timed() && c.Scale == 0 {
		c.Scale = maxFraction
	}
	return c
}

// timed says whether values have fractions of a second.
func (c Column) timed() bool { return c.Type == Time || c.stamped() }

func (c Column) stamped() bool {
	return c.Type == TimestampNTZ || c.Type == TimestampLTZ || c.Type == TimestampTZ
}

func (c Column) numeric() bool { return c.Type == Number || c.Type == Float || c.Type == DecFloat }

func (c Column) semi() bool {
	return c.Type == Variant || c.Type == Object || c.Type == Array || c.Type == Geography
}

// digits are the digits of a second.
func (c Column) digits() int {
	if c.Scale == noFraction {
		return 0
	}
	return c.Scale
}

// String is the type as DESCRIBE prints it.
func (c Column) String() string {
	switch {
	case c.Type == Number:
		return fmt.Sprintf("NUMBER(%d,%d)", c.Precision, c.Scale)
	case c.Type == Varchar:
		return fmt.Sprintf("VARCHAR(%d)", maxVarchar)
	case c.Type == Binary:
		return fmt.Sprintf("BINARY(%d)", maxBinary)
	case c.timed():
		return fmt.Sprintf("%s(%d)", c.Type, c.digits())
	}
	return string(c.Type)
}

// wire describes a column of a result.
func (c Column) wire() map[string]any {
	m := map[string]any{
		"name": c.Name, "type": wireNames[c.Type], "nullable": c.Nullable,
		"precision": nil, "scale": nil, "length": nil, "byteLength": nil,
		"database": "", "schema": "", "table": "", "collation": nil,
	}
	switch {
	case c.Type == Number:
		m["precision"], m["scale"] = c.Precision, c.Scale
	case c.Type == Varchar:
		m["length"], m["byteLength"] = maxVarchar, maxVarchar
	case c.Type == Binary:
		m["length"], m["byteLength"] = maxBinary, maxBinary
	case c.timed():
		m["precision"], m["scale"] = 0, c.digits()
	case c.Type == Geography:
		m["extTypeName"] = string(Geography)
	}
	return m
}

// path names an object: a warehouse, a database, a schema, or a table.
type path []string

// key is the path as text that no other path has.
func (p path) key() string {
	parts := make([]string, len(p))
	for i, name := range p {
		parts[i] = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return strings.Join(parts, ".")
}

func (p path) String() string { return strings.Join(p, ".") }

// parsePath reads up to three identifiers joined by dots.
func parsePath(text string) (path, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	out := p.path()
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return out, nil
}

func mustPath(text string) path {
	p, err := parsePath(text)
	if err != nil {
		panic(fmt.Sprintf("snowflake: %s is not the name of an object: %v", text, err))
	}
	return p
}

// objectName reads one identifier as a connection gives it: what isn't one is
// taken as it is.
func objectName(text string) string {
	p, err := parsePath(text)
	if err != nil || len(p) != 1 {
		return strings.ToUpper(text)
	}
	return p[0]
}
