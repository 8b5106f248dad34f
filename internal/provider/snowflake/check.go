package snowflake

import (
	"context"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Check implements driver.Source: it logs in without a warehouse, describes the
// table, where one is given, and last tries whether the role may use the
// warehouse. None of it resumes one.
func (s *source) Check(ctx context.Context, target string) (driver.Report, error) {
	const op = "snowflake.check"
	r := driver.Report{Message: "the credentials work", Details: map[string]any{"host": s.login.host, "warehouse": s.login.warehouse}}
	if target != "" {
		t, err := s.tableOf(op, target)
		if err != nil {
			return driver.Report{}, err
		}
		sh, err := s.describe(ctx, op, checking, t)
		if err != nil {
			return driver.Report{}, err
		}
		r.Message = t.String() + " can be read"
		r.Details["table"], r.Details["columns"] = t.String(), len(sh.columns)
		switch {
		case len(sh.keys) == 0:
			r.Details["note"] = "there are no primary_key_columns: a row that changes is another row"
		case sh.mark == nil:
			r.Details["note"] = "there is no incremental_column: each run reads the whole table"
		}
	}
	if err := s.tryWarehouse(ctx, op); err != nil {
		return driver.Report{}, err
	}
	return r, nil
}

// tryWarehouse sees whether the configured warehouse can be used.
func (s *source) tryWarehouse(ctx context.Context, op string) error {
	_, err := s.all(ctx, op, checking, use(s.warehouse), 1)
	if code := codeOf(err); code == codeNoObject || code == codeMissing || code == codeDenied {
		e := *errs.From(err)
		e.Kind, e.Scope, e.Msg = errs.PermissionDenied, errs.ScopeConnection, classes[codeBadLogin].msg
		return &e
	}
	return err
}
