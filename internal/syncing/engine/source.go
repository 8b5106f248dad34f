package engine

import (
	"context"

	"mooring/internal/provider"
	"mooring/internal/provider/driver"
)

// From makes a Source of an open connection.
func From(s *provider.Source) Source { return portable{s} }

type portable struct{ *provider.Source }

func (p portable) Split(ctx context.Context, scope driver.Scope, n int) ([]driver.Scope, bool, error) {
	splitter, ok := p.Splitter()
	if !ok {
		return nil, false, nil
	}
	scopes, err := splitter.Split(ctx, scope, n)
	return scopes, true, err
}

func (p portable) Attributes(ctx context.Context, item driver.Item, want driver.Want) (driver.Attributes, bool, error) {
	attributer, ok := p.Attributer()
	if !ok {
		return driver.Attributes{}, false, nil
	}
	attributes, err := attributer.Attributes(ctx, item, want)
	return attributes, true, err
}
