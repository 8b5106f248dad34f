package snowflake

import (
	"context"
	"unicode/utf8"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// ownSchema is in each database: Snowflake's views of its own.
const ownSchema = "INFORMATION_SCHEMA"

// Browse implements driver.Source: databases, their schemas, their tables and
// views. Rows can't be browsed: that would take a warehouse.
func (s *source) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	const op = "snowflake.browse"
	limit = max(1, min(limit, 1000))
	var names []string
	if path != "" {
		var ok bool
		if names, ok = split(path); !ok { // nobody was asked: it is the caller's mistake
			return driver.Listing{}, errs.New(errs.Invalid, op, "the path is none of a database, a schema or a table")
		}
	}
	if len(page) > utf8.UTFMax*maxName {
		return driver.Listing{}, errs.New(errs.CursorExpired, op, "the cursor is not one of this listing: start again without one")
	}
	var what, in string
	switch len(names) {
	case 0:
		what = "DATABASES"
	case 1:
		what, in = "SCHEMAS", "DATABASE "+quote(names[0])
	case 2:
		what, in = "OBJECTS", "SCHEMA "+quote(names[0])+"."+quote(names[1])
	default:
		_, err := s.describe(ctx, op, asking, table{names[0], names[1], names[2]})
		return driver.Listing{}, err
	}
	rows, err := s.all(ctx, op, asking, show(what, in, limit+1, page), limit+1, "name")
	if err != nil {
		return driver.Listing{}, err
	}
	var out driver.Listing
	for i, r := range rows {
		if i == limit {
			out.Next = rows[i-1][0].String
			break
		}
		name := r[0].String
		if len(names) == 1 && name == ownSchema {
			continue
		}
		id := join(append(append([]string(nil), names...), name)...)
		out.Items = append(out.Items, driver.Item{
			ID: id, Path: id, Rel: short(name), Name: name, Folder: true, Size: -1,
		})
	}
	return out, nil
}
