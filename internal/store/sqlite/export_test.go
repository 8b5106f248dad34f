package sqlite

// Queries returns the texts of the statements that the store has prepared.
func (s *Store) Queries() (out []string) {
	s.cached.Range(func(k, _ any) bool {
		out = append(out, k.(string))
		return true
	})
	for query := range s.w.tx.statements {
		out = append(out, query)
	}
	return out
}

// WithMaxPages bounds the database file, as a disk that is nearly full does.
func (o Options) WithMaxPages(n int) Options {
	o.maxPages = n
	return o
}

// DueConnections is the query of the connections that are due for a check.
const DueConnections = dueConnections

// Migrations are the steps from each version of the schema to the next.
func Migrations() []string { return migrations }
