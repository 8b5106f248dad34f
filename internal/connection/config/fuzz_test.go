package config_test

import (
	"encoding/json"
	"testing"

	"mooring/internal/connection/config"
)

// FuzzDecode: whatever is taken can be shown, sent back and taken again as no change.
func FuzzDecode(f *testing.F) {
	for name, text := range samples {
		f.Add(provider(name), text)
	}
	f.Fuzz(func(t *testing.T, provider, text string) {
		var raw map[string]any
		if json.Unmarshal([]byte(text), &raw) != nil {
			return
		}
		c, err := config.Decode(provider, raw, at())
		if err != nil {
			return
		}
		for _, s := range c.Secrets {
			if s.IsMarker() {
				return
			}
		}
		j, err := json.Marshal(seal(c))
		if err != nil {
			t.Fatal(err)
		}
		again := decode(t, provider, string(j))
		if m, err := config.Merge(seal(c), again, at()); err != nil || m.Changed {
			t.Fatalf("%s\ncomes back as %s, %v", text, j, err)
		}
	})
}
