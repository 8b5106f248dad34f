package main

import (
	"strings"
	"testing"
)

// A demonstration that ends names nothing that is gone with it.
func TestADemonstrationThatEndsGivesNoHints(t *testing.T) {
	home(t)
	out, err := run(t, "", "demo", "--once")
	if err != nil || !strings.Contains(out, "each hashed and checked") {
		t.Fatalf("%v: %s", err, out)
	}
	if strings.Contains(out, "export ") || strings.Contains(out, "are in") {
		t.Errorf("it names what is gone: %s", out)
	}
}
