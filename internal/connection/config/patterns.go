package config

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// What a value may look like where it enters a host name, a path or a header.
// None of the patterns admits a dot segment, a slash or an escape where one
// could lead elsewhere.
var (
	hostLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	hostName  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$`)
	token     = regexp.MustCompile(`^[!-~]+$`)
	opaqueID  = regexp.MustCompile(`^[A-Za-z0-9_!-]+$`)
	email     = regexp.MustCompile(`^[^\s@/]+@[^\s@/]+$`)
)

const (
	mustLabel = "must hold only lower-case letters, digits and inner hyphens"
	mustToken = "must hold only printable ASCII without spaces"
	mustID    = "must hold only letters, digits, - and _"
	mustEmail = "must be an e-mail address"
)

// endpointURL accepts the base URL of a server: http or https, a host that is a
// name or an address, an optional port and path, and nothing else. The normal
// form has scheme and host in lower case and no trailing slash.
func endpointURL(s string) (string, string) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", "must be a URL such as https://s3.example.com"
	case !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") || u.Opaque != "":
		return "", "must begin with http:// or https://"
	case u.User != nil:
		return "", "must not hold a user name or password: they belong into credentials"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return "", "must not hold a query or a fragment"
	case !goodHost(u):
		return "", "must name a host, with a port from 1 to 65535 if any"
	case !goodPath(u.Path) || u.RawPath != "":
		return "", "must not hold empty or dot segments or escapes in its path"
	}
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host) + strings.TrimRight(u.Path, "/"), ""
}

func goodHost(u *url.URL) bool {
	port := u.Port()
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return false
	}
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		return strings.Trim(host, "0123456789abcdefABCDEF:.") == "" && strings.Contains(host, ":")
	}
	return len(host) <= 253 && hostName.MatchString(host)
}

// goodPath reports whether a path, which may end in a slash, has only segments
// that no client or server resolves away.
func goodPath(p string) bool {
	p = strings.TrimSuffix(strings.TrimPrefix(p, "/"), "/")
	if p == "" {
		return true
	}
	for seg := range strings.SplitSeq(p, "/") {
		if seg == "" || seg == "." || seg == ".." || strings.ContainsAny(seg, "\\%") {
			return false
		}
	}
	return true
}
