package config_test

import (
	"strings"
	"testing"

	"mooring/internal/connection/config"
)

func TestWhatIsLeftUnprotectedIsSaid(t *testing.T) {
	for _, tt := range []struct{ kind, endpoint, ssl, verify, says string }{
		{"s3/access_key", ``, `true`, `true`, ""},
		{"s3/access_key", ``, `true`, `false`, "verify_ssl"},
		{"s3/access_key", ``, `false`, `true`, "without TLS"},
		{"s3/access_key", ``, `false`, `false`, "without TLS"},
		{"s3/access_key", `"https://s3.example.com"`, `true`, `true`, ""},
		{"s3/access_key", `"https://s3.example.com"`, `true`, `false`, "verify_ssl"},
		{"s3/access_key", `"https://10.0.0.1:9000"`, `false`, `false`, "verify_ssl"}, // the scheme decides
		{"s3/access_key", `"http://minio.internal:9000"`, `true`, `true`, "without TLS"},
		{"s3/access_key", `"http://127.0.0.1:9000"`, `true`, `true`, ""},
		{"s3/access_key", `"https://localhost:9000"`, `true`, `false`, ""},
		{"s3/access_key", `"http://localhost.example.com"`, `true`, `true`, "without TLS"},
		{"tigris/access_key", ``, ``, ``, ""},
		{"tigris/access_key", `"http://t3.storage.dev"`, ``, ``, "without TLS"},
		{"google_drive/oauth", ``, ``, ``, ""},
		{"snowflake/key_pair", ``, ``, ``, ""},
	} {
		raw := parse(t, samples[tt.kind])
		for name, text := range map[string]string{"endpoint_url": tt.endpoint, "use_ssl": tt.ssl, "verify_ssl": tt.verify} {
			if text != "" {
				raw[name] = parse(t, `{"v":`+text+`}`)["v"]
			}
		}
		c, err := config.Decode(provider(tt.kind), raw, at())
		if err != nil {
			t.Fatal(tt, err)
		}
		if got := c.Risk(); got != seal(c).Risk() || (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
