package surface

import (
	"strings"
	"testing"
)

func TestDispositionsHoldNoControlCharacters(t *testing.T) {
	for _, name := range []string{"a\r\nSet-Cookie: x", "a\x00b", "a\"; filename=b", "..\\x", "\xff", "ü"} {
		d := disposition(name)
		for _, bad := range []string{"\r", "\n", "%0D", "%0A", "%00", "\\x", `"; filename=b`} {
			if strings.Contains(d, bad) {
				t.Errorf("%q gives %q", name, d)
			}
		}
		if !strings.HasPrefix(d, "attachment; ") {
			t.Errorf("%q gives %q", name, d)
		}
	}
}
