package main

import (
	"context"
	"os"

	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// source is the portable source in the form the engine asks for.
type source struct{ *provider.Source }

func (s source) Split(ctx context.Context, scope driver.Scope, n int) ([]driver.Scope, bool, error) {
	splitter, ok := s.Splitter()
	if !ok {
		return nil, false, nil
	}
	scopes, err := splitter.Split(ctx, scope, n)
	return scopes, true, err
}

func (s source) Attributes(ctx context.Context, item driver.Item, want driver.Want) (driver.Attributes, bool, error) {
	attributer, ok := s.Attributer()
	if !ok {
		return driver.Attributes{}, false, nil
	}
	attributes, err := attributer.Attributes(ctx, item, want)
	return attributes, true, err
}

// ambient is the operator's own AWS identity, from the environment variables
// that AWS names. It is used to assume tenants' roles and for nothing else.
type ambient struct{}

func (ambient) Credentials() (string, secret.String, secret.String, bool) {
	access, key := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	return access, secret.New(key), secret.New(os.Getenv("AWS_SESSION_TOKEN")), access != "" && key != ""
}
