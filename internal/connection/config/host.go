package config

import (
	"net/url"
	"strings"
)

// Host names what answers a connection's requests, so that connections with the
// same one wait for the same machines: a host, or what stands for it.
func (s Sealed) Host() string {
	text := func(name string) string { v, _ := s.Fields[name].(string); return v }
	if u, err := url.Parse(text("endpoint_url")); err == nil && u.Host != "" {
		return strings.ToLower(u.Host)
	}
	switch s.Provider {
	case "s3":
		return "s3." + text("region")
	case "snowflake":
		return "snowflake." + strings.ToLower(text("account"))
	}
	return s.Provider
}
