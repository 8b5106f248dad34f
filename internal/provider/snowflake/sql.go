package snowflake

import (
	"slices"
	"strconv"
	"strings"
)

// statement is SQL with the values of its binds. Names in it are quoted, values
// are bound: nothing that a user wrote is ever read as SQL.
type statement struct {
	text  string
	binds []any
}

// keyText is the expression of a row's key, injective, and in the order in which
// rows are read: by bytes, since it is text without collation. A part that is
// NULL is "%00". One column's text may hold slashes; of several they are escaped
// and the parts joined by one.
func (sh *shape) keyText() string {
	switch len(sh.keys) {
	case 0:
		return digest(sh.columns)
	case 1:
		return part(sh.keys[0], false)
	}
	parts := make([]string, len(sh.keys))
	for i, c := range sh.keys {
		parts[i] = part(c, true)
	}
	return concat(parts)
}

// concat joins texts by slashes.
func concat(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	return "CONCAT(" + strings.Join(texts, ", '/', ") + ")"
}

// digest is the expression of a row's hash: that of the hashes of its columns,
// since their texts together may be longer than a text can be. It is made in
// groups, for a table may have more columns than a function should have arguments.
func digest(columns []column) string {
	const group = 100
	var groups []string
	for some := range slices.Chunk(columns, group) {
		hashes := make([]string, len(some))
		for i, c := range some {
			hashes[i] = "COALESCE(SHA2(" + c.text() + ", 256), '%00')"
		}
		groups = append(groups, "SHA2("+concat(hashes)+", 256)")
	}
	if len(groups) == 1 {
		return groups[0]
	}
	return "SHA2(" + concat(groups) + ", 256)"
}

func part(c column, slashes bool) string {
	text := c.text()
	switch c.typ {
	case "NUMBER", "FLOAT", "DECFLOAT", "BOOLEAN", "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "BINARY":
	default:
		text = "REPLACE(" + text + ", '%', '%25')"
		if slashes {
			text = "REPLACE(" + text + ", '/', '%2F')"
		}
	}
	return "COALESCE(" + text + ", '%00')"
}

// window bounds what is read.
type window struct {
	from, to string // keys, half-open; "" is unbounded
	after    *string
	equal    *string // this key alone
	mark     marks
}

// marks bounds watermarks.
type marks struct {
	null      bool   // only rows without one
	low, high string // inclusive; "" is unbounded
	at        string // with window.after: rows beyond (at, after)
	in        bool   // ordered by watermark, then key
}

// rows reads the rows of a window in order: key, watermark if there is a column
// for it, columns.
func (sh *shape) rows(w window) statement {
	key := sh.keyText()
	list := []string{key}
	if sh.mark != nil {
		list = append(list, sh.mark.text())
	}
	for _, c := range sh.columns {
		list = append(list, c.value())
	}
	var c conditions
	c.keys(key, w)
	if w.equal != nil {
		c.columns(sh.keys, *w.equal)
	}
	order := key
	if sh.mark != nil {
		c.marks(*sh.mark, key, w)
		if w.mark.in {
			order = sh.mark.sql() + ", " + key
		}
	}
	return statement{"SELECT " + strings.Join(list, ", ") + " FROM " + sh.table.sql() + c.where() + " ORDER BY " + order, c.binds}
}

type conditions struct {
	all   []string
	binds []any
}

func (c *conditions) add(text string, binds ...any) {
	c.all = append(c.all, text)
	c.binds = append(c.binds, binds...)
}

func (c *conditions) where() string {
	if len(c.all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.all, " AND ")
}

func (c *conditions) keys(key string, w window) {
	if w.from != "" {
		c.add(key+" >= ?", w.from)
	}
	if w.to != "" {
		c.add(key+" < ?", w.to)
	}
	if w.equal != nil {
		c.add(key+" = ?", *w.equal)
	}
	if w.after != nil && !w.mark.in {
		c.add(key+" > ?", *w.after)
	}
}

func (c *conditions) marks(m column, key string, w window) {
	if w.mark.null {
		c.add(m.sql() + " IS NULL")
	}
	if !w.mark.in {
		return
	}
	if w.mark.high != "" {
		c.add(m.sql()+" <= "+m.bound(), w.mark.high)
	}
	switch {
	case w.after != nil:
		c.add("("+m.sql()+" > "+m.bound()+" OR ("+m.sql()+" = "+m.bound()+" AND "+key+" > ?))", w.mark.at, w.mark.at, *w.after)
	case w.mark.low != "":
		c.add(m.sql()+" >= "+m.bound(), w.mark.low)
	}
}

// summary asks for the greatest watermark and how many rows have none.
func (sh *shape) summary() statement {
	max := sh.mark.textOf("MAX(" + sh.mark.sql() + ")")
	return statement{text: "SELECT " + max + ", COUNT_IF(" + sh.mark.sql() + " IS NULL) FROM " + sh.table.sql()}
}

// What follows needs no warehouse.

func describe(t table) statement { return statement{text: "DESCRIBE TABLE " + t.sql()} }

// changed asks for a token that is another one after each change of a table, or
// of one that a view reads.
func changed(t table) statement {
	return statement{"SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME(?)", []any{t.sql()}}
}

// use makes a warehouse that of the session, if the role may; that alone does not
// resume it.
func use(warehouse string) statement { return statement{text: "USE WAREHOUSE " + quote(warehouse)} }

// show lists objects by name, with its rows after a name.
func show(what, in string, limit int, after string) statement {
	text := "SHOW " + what
	if in != "" {
		text += " IN " + in
	}
	text += " LIMIT " + strconv.Itoa(limit)
	if after != "" {
		text += " FROM " + literal(after)
	}
	return statement{text: text}
}

// literal writes a text where a statement takes no bind.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}
