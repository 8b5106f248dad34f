package web

import (
	"strings"

	"mooring/internal/access"
)

// PageInfo is what tests that go over all pages need of one.
type PageInfo struct {
	Method, Path string
	Need         access.Permission
}

// Pages lists the whole table.
func Pages() (out []PageInfo) {
	for _, p := range pages() {
		method, path, _ := strings.Cut(p.pattern, " ")
		out = append(out, PageInfo{method, path, p.need})
	}
	return out
}
