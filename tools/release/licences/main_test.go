package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	module := func(licences string) string {
		return `{"components": [{"name": "std", "version": "go1"}, {"name": "example.org/m", "version": "v1.0.0", ` + licences + `}]}`
	}
	for _, c := range []struct {
		name, doc string
		ok        bool
	}{
		{"asserted", module(`"licenses": [{"license": {"id": "MIT"}}]`), true},
		{"found", module(`"evidence": {"licenses": [{"license": {"id": "Apache-2.0"}}]}`), true},
		{"unknown", module(`"type": "library"`), false},
		{"copyleft", module(`"evidence": {"licenses": [{"license": {"id": "GPL-3.0-only"}}]}`), false},
		{"copyleft beside another", module(`"evidence": {"licenses": [{"license": {"id": "MIT"}}, {"license": {"id": "AGPL-3.0-only"}}]}`), false},
		{"by a name alone", module(`"licenses": [{"license": {"name": "Commercial"}}]`), false},
		{"an expression", module(`"licenses": [{"expression": "MIT OR GPL-2.0-only"}]`), false},
		{"nothing", `{}`, false},
		{"no JSON", `<bom/>`, false},
	} {
		err := check(strings.NewReader(c.doc))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.ok && strings.Contains(c.doc, "example.org") && !strings.Contains(err.Error(), "example.org/m v1.0.0") {
			t.Errorf("%s: the module is not named: %v", c.name, err)
		}
	}
}
