package sharepoint

import (
	"context"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Check implements driver.Source: it reads the folder that a path stands for. An
// application for which nothing is configured reads the tenant's root site, where
// a denial still proves that its credentials are good.
func (s *source) Check(ctx context.Context, path string) (driver.Report, error) {
	r := driver.Report{Details: map[string]any{"endpoint": s.base.Host}}
	if path == "" && !s.configured() {
		t := target{op: "sharepoint.check", scope: errs.ScopeConnection, what: "site"}
		var site struct{}
		err := s.get(ctx, t, "/sites/root?$select=id", &site)
		r.Message = "the credentials work"
		if errs.Is(err, errs.PermissionDenied) {
			r.Details["note"] = "cannot read the root site: name a site that the application was granted"
			return r, nil
		}
		return r, err
	}
	p, err := s.resolve(ctx, "sharepoint.check", path)
	if err != nil {
		return driver.Report{}, err
	}
	r.Message = "the folder can be read"
	if p.whole {
		r.Message = "the library can be read"
	}
	r.Details["drive_id"] = p.drive
	return r, nil
}
