package snowflake

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"mooring/internal/errs"
)

// table is a table or view, its names as the metadata spell them.
type table struct{ database, schema, name string }

// plain are the names that need no quotes, folded are those that become one:
// ASCII only, for some other letters would fold to it too.
var (
	plain  = regexp.MustCompile(`^[A-Z_][A-Z0-9_$]*$`)
	folded = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*$`)
)

// quote writes a name so that it stands for itself.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// short writes a name for people: quoted only where it must be.
func short(name string) string {
	if plain.MatchString(name) {
		return name
	}
	return quote(name)
}

// join writes a path of names for people. It is injective and read by split.
func join(names ...string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = short(n)
	}
	return strings.Join(out, ".")
}

func (t table) String() string { return join(t.database, t.schema, t.name) }

// sql is the table's name in a statement.
func (t table) sql() string {
	return quote(t.database) + "." + quote(t.schema) + "." + quote(t.name)
}

// split reads names separated by dots: quoted ones as they are, others folded.
func split(path string) ([]string, bool) {
	var out []string
	for {
		var name string
		var ok bool
		if name, path, ok = first(path); !ok {
			return nil, false
		}
		out = append(out, name)
		if path == "" {
			return out, len(out) <= 3
		}
		if path[0] != '.' {
			return nil, false
		}
		path = path[1:]
	}
}

// maxName is how many characters a name may have.
const maxName = 255

// first takes one name off a path.
func first(path string) (name, rest string, ok bool) {
	if !strings.HasPrefix(path, `"`) {
		end := strings.IndexAny(path, `."`)
		if end < 0 {
			end = len(path)
		}
		name, rest = path[:end], path[end:]
		return strings.ToUpper(name), rest, folded.MatchString(name) && len(name) <= maxName
	}
	var b strings.Builder
	for i := 1; i < len(path); i++ {
		if path[i] != '"' {
			b.WriteByte(path[i])
			continue
		}
		if i+1 < len(path) && path[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		name = b.String()
		return name, path[i+1:], name != "" && utf8.RuneCountInString(name) <= maxName && !strings.ContainsRune(name, 0) && utf8.ValidString(name)
	}
	return "", "", false
}

// tableOf reads a source path: DB.SCHEMA.TABLE, or less where the configuration
// has the rest.
func (s *source) tableOf(op, path string) (table, error) {
	names, ok := split(path)
	if !ok {
		return table{}, badPath(op, "the source path is no table: it must look like DATABASE.SCHEMA.TABLE, names with other characters in double quotes")
	}
	t := table{name: names[len(names)-1], schema: s.schema, database: s.database}
	switch len(names) {
	case 3:
		t.database, t.schema = names[0], names[1]
	case 2:
		t.schema = names[0]
	}
	if t.database == "" || t.schema == "" {
		return table{}, badPath(op, "the source path names no database or no schema, and neither does the connection: write DATABASE.SCHEMA.TABLE")
	}
	return t, nil
}

// configured reads a single name of the configuration.
func configured(name string) (string, bool) {
	if name == "" {
		return "", true
	}
	n, rest, ok := first(name)
	return n, ok && rest == ""
}

func badPath(op, msg string) error {
	return &errs.Error{Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopePath, Op: op, Msg: msg}
}
