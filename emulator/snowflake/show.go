package snowflake

import (
	"slices"
	"strconv"
	"strings"
)

// readable finds a table or view that the session's role may select from. Names
// are completed from the session. The lock is held.
func (s *Server) readable(ses *session, name path) (*Table, error) {
	full, f := ses.complete(name, 3)
	if f != nil {
		return nil, f
	}
	t := s.tables[full.key()]
	if t == nil || !s.roles[ses.role].may(Select, full.key()) {
		return nil, failf("002003", "SQL compilation error:\nObject '%s' does not exist or not authorized.", full)
	}
	return t, nil
}

// complete makes a name as long as it must be.
func (ses *session) complete(name path, parts int) (path, *failure) {
	full := append(path(nil), name...)
	for len(full) < parts {
		prefix := ses.database
		if parts-len(full) == 2 {
			prefix = ses.schema
		}
		if prefix == "" {
			return nil, failf("090105", "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE', or use a qualified name.")
		}
		full = append(path{prefix}, full...)
	}
	if len(full) > parts {
		return nil, failf("001003", "SQL compilation error: the name %s has too many parts", name)
	}
	return full, nil
}

// visible says whether a role sees a database or schema: it does when it may read
// anything in it. The lock is held.
func (s *Server) visible(role string, in path) bool {
	for _, t := range s.tables {
		if slices.Equal(t.path[:len(in)], in) && s.roles[role].may(Select, t.path.key()) {
			return true
		}
	}
	return false
}

func (sc *scope) runUse(st useStatement) (*rows, error) {
	ses, s := sc.ses, sc.s
	missing := fail("002043")
	switch st.what {
	case "WAREHOUSE":
		if len(st.name) != 1 || !s.mayUse(ses.role, st.name[0]) {
			return nil, missing
		}
		ses.warehouse = st.name[0]
	case "ROLE":
		u := s.users[ses.user]
		if len(st.name) != 1 || u == nil || s.roles[st.name[0]] == nil || !u.holds(st.name[0]) {
			return nil, failf("003013", "SQL access control error:\nRequested role '%s' is not assigned to the executing user. Specify another role to activate.", st.name)
		}
		ses.role = st.name[0]
	case "DATABASE":
		if len(st.name) != 1 || !s.visible(ses.role, st.name) {
			return nil, missing
		}
		ses.database, ses.schema = st.name[0], "PUBLIC"
	case "SCHEMA":
		full, f := ses.complete(st.name, 2)
		if f != nil {
			return nil, f
		}
		if !s.visible(ses.role, full) {
			return nil, missing
		}
		ses.database, ses.schema = full[0], full[1]
	}
	return executed(), nil
}

// listing is a table of metadata in the making.
type listing struct {
	rows
}

func newListing(columns ...string) *listing {
	l := &listing{}
	for _, name := range columns {
		typ := anyText
		switch name {
		case "created_on":
			typ = Column{Type: TimestampLTZ, Scale: 3, Nullable: true}
		case "rows", "bytes":
			typ = integer
		}
		typ.Name = name
		l.columns = append(l.columns, typ)
	}
	return l
}

// add takes cells in the order of the columns; those left out are NULL.
func (l *listing) add(cells ...any) {
	row := make([]*string, len(l.columns))
	for i, cell := range cells {
		row[i] = wireText(cell, l.columns[i])
	}
	l.fixed = append(l.fixed, row)
}

// maxShown is how many rows SHOW gives at most.
const maxShown = 10_000

func (sc *scope) runShow(st showStatement) (*rows, error) {
	if st.what == "COLUMNS" {
		return sc.showColumns(st)
	}
	in, f := sc.container(st)
	if f != nil {
		return nil, f
	}
	if len(in) > 0 && !sc.s.visible(sc.ses.role, in) {
		return nil, failf("002043", "SQL compilation error:\nObject does not exist, or operation cannot be performed.")
	}
	depth := map[string]int{"DATABASES": 1, "SCHEMAS": 2}[st.what]
	if depth == 0 {
		depth = 3
	}
	found := map[string]*Table{} // one for each name
	var names []path
	for _, t := range sc.s.tables {
		name := t.path[:depth]
		if !slices.Equal(t.path[:len(in)], in) || found[name.key()] != nil || !sc.s.roles[sc.ses.role].may(Select, t.path.key()) {
			continue
		}
		if depth == 3 && (st.what == "VIEWS") != (t.base != nil) && st.what != "OBJECTS" || !st.selects(name[depth-1]) {
			continue
		}
		found[name.key()] = t
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b path) int { return slices.Compare(a, b) })
	if st.limit < 0 || st.limit > maxShown {
		st.limit = maxShown
	}
	names = names[:min(st.limit, len(names))]
	l := newListing(showColumns[st.what]...)
	for _, name := range names {
		sc.showRow(l, st.what, name, found[name.key()])
	}
	return &l.rows, nil
}

// container is where SHOW looks.
func (sc *scope) container(st showStatement) (path, *failure) {
	switch st.in {
	case "DATABASE":
		return sc.ses.complete(st.name, 1)
	case "SCHEMA":
		return sc.ses.complete(st.name, 2)
	}
	switch {
	case st.what == "DATABASES" || sc.ses.database == "":
		return nil, nil
	case st.what == "SCHEMAS" || sc.ses.schema == "":
		return path{sc.ses.database}, nil
	}
	return path{sc.ses.database, sc.ses.schema}, nil
}

// selects applies LIKE, STARTS WITH and FROM: the last is where a page goes on,
// after the name itself.
func (st showStatement) selects(name string) bool {
	return (st.like == nil || like(strings.ToUpper(*st.like), strings.ToUpper(name))) &&
		strings.HasPrefix(name, st.startsWith) && (st.from == "" || name > st.from)
}

// like matches a pattern in which % stands for any text and _ for a character;
// a backslash takes their meaning away. It goes back to the last % only, so its
// time is the product of the lengths at most.
func like(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '%':
			i++
			star, mark = i, j
		case i+1 < len(p) && p[i] == '\\' && p[i+1] == t[j]:
			i, j = i+2, j+1
		case i < len(p) && p[i] != '\\' && (p[i] == '_' || p[i] == t[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star, mark
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "%") == ""
}

// showColumns are the columns of Snowflake's lists that a client may count on,
// in its order.
var showColumns = map[string][]string{
	"DATABASES": {"created_on", "name", "is_default", "is_current", "origin", "owner", "comment", "options", "retention_time", "kind"},
	"SCHEMAS":   {"created_on", "name", "is_default", "is_current", "database_name", "owner", "comment", "options", "retention_time"},
	"TABLES":    {"created_on", "name", "database_name", "schema_name", "kind", "comment", "cluster_by", "rows", "bytes", "owner", "retention_time"},
	"VIEWS":     {"created_on", "name", "reserved", "database_name", "schema_name", "owner", "comment", "text", "is_secure", "is_materialized"},
	"OBJECTS":   {"created_on", "name", "database_name", "schema_name", "kind", "comment", "cluster_by", "rows", "bytes", "owner", "retention_time"},
}

func (sc *scope) showRow(l *listing, what string, name path, t *Table) {
	created := stamp{t.created, TimestampLTZ}
	current := func(is bool) any {
		if is {
			return "Y"
		}
		return "N"
	}
	switch what {
	case "DATABASES":
		l.add(created, name[0], "N", current(name[0] == sc.ses.database), "", adminRole, "", "", "1", "STANDARD")
	case "SCHEMAS":
		l.add(created, name[1], "N", current(slices.Equal(name, path{sc.ses.database, sc.ses.schema})), name[0], adminRole, "", "", "1")
	case "VIEWS":
		l.add(created, name[2], "", name[0], name[1], adminRole, "", "", "false", "false")
	default:
		if t.base != nil {
			l.add(created, name[2], name[0], name[1], "VIEW", "", "", nil, nil, adminRole, "1")
			return
		}
		n := int64(0)
		t.snapshot(sc.s.commits).each(func(int) { n++ })
		l.add(created, name[2], name[0], name[1], "TABLE", "", "", newDecimal(n), newDecimal(n*int64(len(t.columns))*8), adminRole, "1")
	}
}

func (sc *scope) showColumns(st showStatement) (*rows, error) {
	t, err := sc.described(st.in, st.name)
	if err != nil {
		return nil, err
	}
	l := newListing("table_name", "schema_name", "column_name", "data_type", "null?", "default", "kind", "expression", "comment", "database_name", "autoincrement")
	for _, c := range t.columns {
		l.add(t.path[2], t.path[1], c.Name, c.json(), strconv.FormatBool(c.Nullable), "", "COLUMN", "", "", t.path[0], "")
	}
	return &l.rows, nil
}

func (sc *scope) runDescribe(st describeStatement) (*rows, error) {
	t, err := sc.described(st.what, st.name)
	if err != nil {
		return nil, err
	}
	l := newListing("name", "type", "kind", "null?", "default", "primary key", "unique key", "check", "expression", "comment", "policy name", "privacy domain")
	for _, c := range t.columns {
		null := "N"
		if c.Nullable {
			null = "Y"
		}
		l.add(c.Name, c.String(), "COLUMN", null, nil, "N", "N")
	}
	return &l.rows, nil
}

// described finds a table or a view. Snowflake describes either as a table, but
// not a table as a view.
func (sc *scope) described(kind string, name path) (*Table, error) {
	t, err := sc.s.readable(sc.ses, name)
	if err == nil && kind == "VIEW" && t.base == nil {
		return nil, failf("002203", "SQL compilation error:\nObject found is of type 'TABLE', not specified type 'VIEW'.")
	}
	return t, err
}

// json is the type as SHOW COLUMNS prints it.
func (c Column) json() string {
	text := func(parts ...string) string { return "{" + strings.Join(parts, ",") + "}" }
	nullable := `"nullable":` + strconv.FormatBool(c.Nullable)
	switch {
	case c.Type == Number:
		return text(`"type":"FIXED"`, `"precision":`+itoa(c.Precision), `"scale":`+itoa(c.Scale), nullable)
	case c.Type == Varchar, c.Type == Binary:
		size := itoa(maxVarchar)
		if c.Type == Binary {
			size = itoa(maxBinary)
		}
		return text(`"type":"`+strings.ToUpper(wireNames[c.Type])+`"`, `"length":`+size, nullable)
	case c.timed():
		return text(`"type":"`+string(c.Type)+`"`, `"precision":0`, `"scale":`+itoa(c.digits()), nullable)
	case c.Type == Float:
		return text(`"type":"REAL"`, nullable)
	}
	return text(`"type":"`+string(c.Type)+`"`, nullable)
}
