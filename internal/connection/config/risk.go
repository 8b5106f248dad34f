package config

import (
	"net/netip"
	"net/url"
	"strings"
)

// The risks that a configuration can choose.
const (
	riskUnverified = "TLS is not verified (verify_ssl is false): whoever stands between can pose as the server, read and change everything, and use what is sent"
	riskOpen       = "requests go without TLS: whoever stands between can read and change everything"
)

// Risk says what a configuration leaves unprotected on the way to the provider,
// "" when nothing. What stays on this machine needs no protection.
func (c Config) Risk() string { return risk(c.Fields) }

// Risk says the same of a stored configuration.
func (s Sealed) Risk() string { return risk(s.Fields) }

func risk(fields map[string]any) string {
	flag := func(name string) bool { v, set := fields[name].(bool); return v || !set }
	encrypted := flag("use_ssl")
	if endpoint, _ := fields["endpoint_url"].(string); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || onThisMachine(u.Hostname()) {
			return ""
		}
		encrypted = u.Scheme == "https"
	}
	switch {
	case !encrypted:
		return riskOpen
	case !flag("verify_ssl"):
		return riskUnverified
	}
	return ""
}

func onThisMachine(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
