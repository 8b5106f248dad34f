package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"mooring/internal/config"
	"mooring/internal/errs"
)

func load(t *testing.T, args []string, env map[string]string, file string) (*config.Server, error) {
	t.Helper()
	f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s := config.Flags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	name := ""
	if file != "" {
		name = filepath.Join(t.TempDir(), "mooring.toml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	get := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	if err := config.Fill(f, get, name); err != nil {
		return s, err
	}
	return s, s.Validate()
}

func TestFlagBeatsEnvironmentBeatsFile(t *testing.T) {
	file := "syncs = 2\nlog-level = \"warn\"\nlog-format = \"json\"\nallow-network = [\"10.0.0.0/8\", \"127.0.0.0/8\"]\n"
	s, err := load(t, []string{"--syncs=8"}, map[string]string{"MOORING_SYNCS": "4", "MOORING_LOG_LEVEL": "debug"}, file)
	if err != nil {
		t.Fatal(err)
	}
	if s.Syncs != 8 || s.LogLevel != "debug" || s.LogFormat != "json" || len(s.Networks()) != 2 {
		t.Errorf("got %+v", s)
	}
}

func TestUnknownSettingsAreRefused(t *testing.T) {
	_, err := load(t, nil, nil, "sycns = 2\n")
	if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "sycns") {
		t.Errorf("got %v", err)
	}
}

func TestAnOpenAddressNeedsProtection(t *testing.T) {
	for _, c := range []struct {
		args []string
		ok   bool
	}{
		{[]string{"--listen=127.0.0.1:1"}, true},
		{[]string{"--listen=[::1]:1"}, true},
		{[]string{"--listen=localhost:1"}, true},
		{[]string{"--listen=0.0.0.0:1"}, false},
		{[]string{"--listen=:8420"}, false},
		{[]string{"--listen=0.0.0.0:1", "--insecure-http"}, true},
		{[]string{"--listen=0.0.0.0:1", "--trusted-proxy=10.0.0.0/8"}, true},
		{[]string{"--listen=nonsense"}, false},
		{[]string{"--metrics-listen=127.0.0.1:9"}, true},
		{[]string{"--metrics-listen=10.1.2.3:9"}, true},
		{[]string{"--metrics-listen=:9"}, false},
		{[]string{"--metrics-listen=[::]:9"}, false},
		{[]string{"--metrics-listen=192.0.2.1:9"}, false},
		{[]string{"--metrics-listen=0.0.0.0:9", "--insecure-http"}, true},
		{[]string{"--metrics-listen=9"}, false},
		{[]string{"--otlp-endpoint=http://127.0.0.1:4318"}, true},
		{[]string{"--otlp-endpoint=127.0.0.1:4318"}, false},
		{[]string{"--otlp-endpoint=https://user:pw@collector.example"}, false},
		{[]string{"--tls-cert=a"}, false},
		{[]string{"--allow-network=10.0.0.1"}, false},
		{[]string{"--store=postgres"}, false},
	} {
		if _, err := load(t, c.args, nil, ""); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.args, err)
		}
	}
}

func TestABadValueIsNotQuoted(t *testing.T) {
	_, err := load(t, nil, map[string]string{"MOORING_SYNCS": "hunter2"}, "")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "MOORING_SYNCS") {
		t.Errorf("got %v", err)
	}
}

func TestProviderEndpoints(t *testing.T) {
	s, err := load(t, []string{"--provider-endpoint=sharepoint.api=https://graph.microsoft.us/v1.0", "--provider-endpoint=sharepoint.token=https://login.microsoftonline.us"}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.ProviderEndpoints()["sharepoint"]; got["api"] != "https://graph.microsoft.us/v1.0" || got["token"] != "https://login.microsoftonline.us" {
		t.Errorf("got %v", got)
	}
	for _, bad := range []string{"sharepoint.api", "sharepoint.api=ftp://host", "box.api=https://host", "snowflake.token=https://host", "s3.sts=https://user:pw@host"} {
		if _, err := load(t, []string{"--provider-endpoint=" + bad}, nil, ""); !errs.Is(err, errs.Invalid) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}
