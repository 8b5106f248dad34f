package snowflake

import (
	"context"

	"mooring/internal/provider/driver"
)

// Check implements driver.Source: it logs in without a warehouse, looks whether
// the configured one can be used, and describes the table, where one is given.
// None of it resumes a warehouse.
func (s *source) Check(ctx context.Context, target string) (driver.Report, error) {
	const op = "snowflake.check"
	r := driver.Report{Message: "the credentials work", Details: map[string]any{"account": s.login.account, "host": s.login.host}}
	if target == "" {
		rows, err := s.all(ctx, op, false, statement{text: "SELECT CURRENT_VERSION(), CURRENT_ROLE()"}, 1)
		if err != nil {
			return driver.Report{}, err
		}
		if len(rows) == 1 && len(rows[0]) == 2 {
			r.Details["version"], r.Details["role"] = rows[0][0].String, rows[0][1].String
		}
		return r, nil
	}
	t, err := s.tableOf(op, target)
	if err != nil {
		return driver.Report{}, err
	}
	sh, err := s.describe(ctx, op, t)
	if err != nil {
		return driver.Report{}, err
	}
	r.Message = t.String() + " can be seen"
	r.Details["table"], r.Details["columns"] = t.String(), len(sh.columns)
	switch {
	case len(sh.keys) == 0:
		r.Details["note"] = "there are no primary_key_columns: a row that changes is another row"
	case sh.mark == nil:
		r.Details["note"] = "there is no incremental_column: each run reads the whole table"
	}
	return r, nil
}
