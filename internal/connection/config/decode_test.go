package config_test

import (
	"fmt"
	"strings"
	"testing"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
)

func TestTheNineKindsDecode(t *testing.T) {
	for name, text := range samples {
		c := decode(t, name, text)
		if got := c.Provider + "/" + c.Credential; got != name {
			t.Errorf("%s was read as %s", name, got)
		}
	}
}

func TestTypeIsInferred(t *testing.T) {
	for name := range samples {
		if c := decode(t, name, with(t, name, "credentials.type", "")); c.Provider+"/"+c.Credential != name {
			t.Errorf("%s was inferred as %s", name, c.Credential)
		}
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	c := decode(t, "s3", samples["s3/access_key"])
	if !c.Flag("use_ssl") || !c.Flag("verify_ssl") || c.Text("endpoint_url") != "" {
		t.Errorf("s3: %v", c.Fields)
	}
	c = decode(t, "tigris", samples["tigris/access_key"])
	if c.Text("region") != "auto" || c.Text("endpoint_url") != "https://fly.storage.tigris.dev" {
		t.Errorf("tigris: %v", c.Fields)
	}
	c = decode(t, "snowflake", samples["snowflake/key_pair"])
	if c.Number("query_timeout_seconds") != 300 || c.Number("fetch_size") != 500 {
		t.Errorf("snowflake: %v", c.Fields)
	}
}

func TestLeniency(t *testing.T) {
	for _, tt := range []struct{ name, path, value string }{
		{"s3/access_key", "provider_type", `"s3"`},
		{"s3/access_key", "provider_type", `null`},
		{"s3/access_key", "endpoint_url", `null`},
		{"s3/access_key", "endpoint_url", `""`},
		{"s3/access_key", "bucket", `"media"`},
		{"tigris/access_key", "bucket", `"media"`},
		{"tigris/access_key", "credentials.type", ""},
		{"s3/access_key", "credentials.session_token", `null`},
		{"s3/iam_role", "credentials.role_arn", `"arn:aws-cn:iam::123456789012:role/team/a/reader"`},
		{"google_drive/service_account", "credentials.token_uri", `"https://evil.example/token"`},
		{"google_drive/service_account", "credentials.universe_domain", `"googleapis.com"`},
		{"snowflake/key_pair", "fetch_size", `1000.0`},
		{"sharepoint/delegated", "site_id", `"contoso.sharepoint.com,11111111-1111-1111-1111-111111111111,22222222-2222-2222-2222-222222222222"`},
		{"sharepoint/delegated", "site_id", `"https://contoso.sharepoint.com/sites/Über uns"`},
		{"sharepoint/delegated", "folder_path", `"/100% done/a b"`},
	} {
		if tt.value == "1000.0" {
			raw := parse(t, samples[tt.name])
			raw[tt.path] = 1000.0
			if c, err := config.Decode(provider(tt.name), raw, at()); err != nil || c.Number(tt.path) != 1000 {
				t.Errorf("a float64 that is whole: %v", err)
			}
			continue
		}
		decode(t, tt.name, with(t, tt.name, tt.path, tt.value))
	}
	c := decode(t, "google_drive", with(t, "google_drive/service_account", "credentials.token_uri", `"https://evil.example/token"`))
	if strings.Contains(fmt.Sprint(c), "evil") {
		t.Error("a URL of the key file was kept")
	}
	if got := decode(t, "s3", with(t, "s3/access_key", "bucket", `"media"`)).Target(); got != "media" {
		t.Errorf("target is %q", got)
	}
}

func TestShortKeysNeedAnEndpoint(t *testing.T) {
	raw := parse(t, samples["s3/access_key"])
	raw["credentials"] = map[string]any{"access_key_id": "minio", "secret_access_key": "minio123"}
	if _, err := config.Decode("s3", raw, at()); len(errs.From(err).Fields) != 2 {
		t.Errorf("short keys without endpoint: %v", err)
	}
	raw["endpoint_url"] = "HTTP://LocalHost:9000/"
	c, err := config.Decode("s3", raw, at())
	if err != nil {
		t.Fatalf("short keys with endpoint: %v", errs.From(err).Fields)
	}
	if c.Text("endpoint_url") != "http://localhost:9000" {
		t.Errorf("endpoint is %q", c.Text("endpoint_url"))
	}
	raw["credentials"] = map[string]any{"access_key_id": "", "secret_access_key": "minio123"}
	if _, err := config.Decode("s3", raw, at()); err == nil {
		t.Error("an empty key was taken")
	}
}

// TestRefusals: each wrong value is refused at its path, once, and not repeated.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct{ name, path, value, typ string }{
		{"s3/access_key", "provider_type", `"tigris"`, "value_error"},
		{"s3/access_key", "region", ``, "missing"},
		{"s3/access_key", "region", `null`, "missing"},
		{"s3/access_key", "region", `"eu/../x"`, "string_pattern_mismatch"},
		{"s3/access_key", "region", `"evil.example"`, "string_pattern_mismatch"},
		{"s3/access_key", "region", `7`, "string_type"},
		{"s3/access_key", "use_ssl", `"true"`, "bool_type"},
		{"s3/access_key", "colour", `1`, "extra_forbidden"},
		{"s3/access_key", "credentials.colour", `null`, "extra_forbidden"},
		{"s3/access_key", "credentials.role_arn", `"x"`, "extra_forbidden"},
		{"s3/access_key", "credentials", `null`, "missing"},
		{"s3/access_key", "credentials", `"x"`, "dict_type"},
		{"s3/access_key", "credentials.type", `"password"`, "enum"},
		{"s3/access_key", "credentials.type", `5`, "enum"},
		{"s3/access_key", "credentials.access_key_id", marker(), "value_error"},
		{"s3/access_key", "credentials.secret_access_key", `"canary with a space, long enough for the minimum of it"`, "string_pattern_mismatch"},
		{"s3/access_key", "bucket", `".."`, "string_pattern_mismatch"},
		{"s3/iam_role", "credentials.role_arn", `"arn:aws:iam::1:role/x"`, "string_pattern_mismatch"},
		{"s3/iam_role", "credentials.external_id", `"short"`, "string_too_short"},
		{"google_drive/oauth", "impersonate_user", `"a@example.com"`, "value_error"},
		{"google_drive/oauth", "shared_drive_id", `"../x"`, "string_pattern_mismatch"},
		{"sharepoint/delegated", "credentials.tenant_id", `".."`, "string_pattern_mismatch"},
		{"sharepoint/delegated", "credentials.tenant_id", `"a/b"`, "string_pattern_mismatch"},
		{"sharepoint/delegated", "drive_id", `"b!x/.."`, "string_pattern_mismatch"},
		{"sharepoint/delegated", "site_id", `"https://u:p@contoso.sharepoint.com/"`, "value_error"},
		{"sharepoint/delegated", "site_id", `"contoso.sharepoint.com:/../x"`, "value_error"},
		{"sharepoint/delegated", "folder_path", `"/a/../b"`, "value_error"},
		{"sharepoint/delegated", "folder_path", `"/a:/children"`, "value_error"},
		{"snowflake/key_pair", "account", `"evil.example/x"`, "value_error"},
		{"snowflake/key_pair", "account", `"org-acct.snowflakecomputing.com"`, "value_error"},
		{"snowflake/key_pair", "warehouse", `"a\u0000b"`, "value_error"},
		{"snowflake/key_pair", "warehouse", `" WH"`, "value_error"},
		{"snowflake/key_pair", "fetch_size", `99`, "greater_than_equal"},
		{"snowflake/key_pair", "fetch_size", `10001`, "less_than_equal"},
		{"snowflake/key_pair", "fetch_size", `1.5`, "int_type"},
		{"snowflake/key_pair", "fetch_size", `"1000"`, "int_type"},
		{"snowflake/key_pair", "primary_key_columns", `["a","a"]`, "value_error"},
		{"snowflake/key_pair", "primary_key_columns", `[]`, "too_long"},
		{"snowflake/key_pair", "primary_key_columns", `"ID"`, "list_type"},
		{"snowflake/key_pair", "credentials.password", `"canary"`, "extra_forbidden"},
	} {
		_, err := config.Decode(provider(tt.name), parse(t, with(t, tt.name, tt.path, tt.value)), at())
		fields := errs.From(err).Fields
		if err == nil || !errs.Is(err, errs.Invalid) || len(fields) != 1 {
			t.Errorf("%s %s=%s: %v %+v", tt.name, tt.path, tt.value, err, fields)
			continue
		}
		loc := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(fields[0].Loc), "[]")), ".")
		if loc != "body.provider_config."+tt.path || fields[0].Type != tt.typ {
			t.Errorf("%s %s=%s is noted as %s %s", tt.name, tt.path, tt.value, fields[0].Type, loc)
		}
		if strings.Contains(fmt.Sprintf("%+v", fields), "canary") {
			t.Errorf("a value is repeated: %+v", fields)
		}
	}
}

func TestAmbiguousCredentials(t *testing.T) {
	for name, text := range map[string]string{
		"snowflake":    `{"account":"a","warehouse":"w","credentials":{"username":"u","password":"p","private_key":"k"}}`,
		"s3":           `{"region":"x","credentials":{"access_key_id":"a","role_arn":"b"}}`,
		"google_drive": `{"credentials":{"client_id":"a","client_secret":"b"}}`,
	} {
		_, err := config.Decode(name, parse(t, text), at())
		if f := errs.From(err).Fields; len(f) != 1 || fmt.Sprint(f[0].Loc) != "[body provider_config credentials type]" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestAllBadFieldsAreGathered(t *testing.T) {
	_, err := config.Decode("s3", parse(t, `{"regoin":"x","use_ssl":1,"credentials":{"type":"access_key","access_key_id":7}}`), at())
	if n := len(errs.From(err).Fields); n != 5 {
		t.Errorf("%d fields: %+v", n, errs.From(err).Fields)
	}
	_, err = config.Decode("s3", nil, at())
	if n := len(errs.From(err).Fields); n != 2 {
		t.Errorf("nothing at all: %+v", errs.From(err).Fields)
	}
}

func TestOtherProvidersAreRefusedByName(t *testing.T) {
	for _, p := range []string{"postgresql", "instagram", "tiktok", "rss", "http_api", "box", "S3", ""} {
		_, err := config.Decode(p, parse(t, `{}`), at())
		if config.Supported(p) || !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", p, err)
		}
	}
	if !strings.Contains(config.Refusal("box"), "not supported") {
		t.Error(config.Refusal("box"))
	}
}

func TestEndpointURLs(t *testing.T) {
	good := map[string]string{
		"http://127.0.0.1:9000":               "http://127.0.0.1:9000",
		"https://[2001:DB8::1]:9000/":         "https://[2001:db8::1]:9000",
		"HTTPS://S3.Example.com":              "https://s3.example.com",
		"https://x.supabase.co/storage/v1/s3": "https://x.supabase.co/storage/v1/s3",
		"http://minio_1:9000":                 "http://minio_1:9000",
	}
	for in, want := range good {
		if c := decode(t, "s3", with(t, "s3/access_key", "endpoint_url", quoted(in))); c.Text("endpoint_url") != want {
			t.Errorf("%s becomes %s", in, c.Text("endpoint_url"))
		}
	}
	for _, bad := range []string{
		"s3.example.com", "//s3.example.com", "ftp://x", "https://", "https:x", "https://u@x", "https://u:p@x", "https://x?y", "https://x?",
		"https://x#y", "https://x#", "https://x:0", "https://x:70000", "https://x:", "https://x/../y", "https://x/a%2Fb", "https://x/%2e%2e/y", "https://x//y",
		"https://exa mple", "https://ex%61mple", "https://x\\y", "https://-x", "https://x..y", "https://[::1", "https://[fe80::1%25eth0]", "https://x/\x01",
	} {
		if _, err := config.Decode("s3", parse(t, with(t, "s3/access_key", "endpoint_url", quoted(bad))), at()); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
