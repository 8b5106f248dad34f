package snowflake_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/provider/driver"
)

// TestTheDriverKeepsQuiet runs the adapter in a process of its own, in which no
// build tag need help. It reaches nothing but the given host, writes no file and prints nothing.
func TestTheDriverKeepsQuiet(t *testing.T) {
	if os.Getenv("MOORING_TEST_QUIET") != "" {
		quietly(t)
		return
	}
	home := t.TempDir()
	must(t, os.Mkdir(filepath.Join(home, "tmp"), 0o700))
	// What would have the driver log, or refuse to log in.
	loud := `{"common": {"log_level": "TRACE", "log_path": "` + filepath.Join(home, "log") + `"}}`
	must(t, os.WriteFile(filepath.Join(home, "sf_client_config.json"), []byte(loud), 0o600))
	for name, text := range map[string]string{"": "", "loud.json": loud, "damaged.json": "{"} {
		t.Run(name, func(t *testing.T) { keepsQuiet(t, home, name, text) })
	}
}

func keepsQuiet(t *testing.T, home, config, text string) {
	exe, err := os.Executable()
	must(t, err)
	srv := table(t, emulator.Options{ChunkRows: 5}, 50)
	srv.Key("MOORING", publicKey(t), 1)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestTheDriverKeepsQuiet$", "-test.v=false")
	cmd.Env = []string{
		"HOME=" + home, "XDG_CACHE_HOME=" + filepath.Join(home, "cache"), "TMPDIR=" + filepath.Join(home, "tmp"), "PATH=" + os.Getenv("PATH"),
		"MOORING_TEST_QUIET=" + srv.URL(), "http_proxy=http://192.0.2.1:1", "https_proxy=http://192.0.2.1:1",
	}
	if config != "" {
		config = filepath.Join(t.TempDir(), config)
		must(t, os.WriteFile(config, []byte(text), 0o600))
		cmd.Env = append(cmd.Env, "SF_CLIENT_CONFIG_FILE="+config)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != "PASS" || stderr.Len() != 0 {
		t.Errorf("%v: it printed %q, %q", err, out, stderr.String())
	}
	err = filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		switch rel, _ := filepath.Rel(home, path); rel {
		case ".", "tmp", "sf_client_config.json":
		case ".cache", ".cache/snowflake": // the driver makes a folder for tokens, and keeps none
		default:
			t.Errorf("it made %s", rel)
		}
		return err
	})
	must(t, err)
	if n := srv.Count(emulator.Telemetry, emulator.Unknown, emulator.Heartbeat); n != 0 {
		t.Errorf("%d requests beside the work", n)
	}
}

// quietly is what the child does: everything, good and bad.
func quietly(t *testing.T) {
	if os.Getenv("SF_DISABLE_MINICORE") != "true" || os.Getenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION") != "true" {
		t.Error("the driver was initialised before it was told to be quiet")
	}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "LD_") {
			t.Errorf("%s", e)
		}
	}
	if maps, err := os.ReadFile("/proc/self/maps"); err == nil && strings.Contains(string(maps), "sf_mini_core") {
		t.Error("a native library is loaded")
	}
	url := os.Getenv("MOORING_TEST_QUIET")
	host := strings.TrimPrefix(url, "http://")
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = func(_ context.Context, network, address string) (net.Conn, error) {
		t.Errorf("a name was looked up (%s %s)", network, address)
		return nil, net.ErrClosed
	}
	o := driver.Options{Transport: only{t, host}, Endpoints: map[string]string{"api": url}}
	c := pair(keyFile(t, "pkcs8-aes256.pem"), "passphrase")
	c.Fields["primary_key_columns"] = []string{"ID"}
	src, err := openWith(t, c, o)
	must(t, err)
	if all, _ := follow(t, src, items, nil); len(all) != 50 {
		t.Errorf("%d rows", len(all))
	}
	if _, err := src.Changes(t.Context(), driver.Scope{Path: "NO.SUCH.TABLE"}, nil); err == nil {
		t.Error("no error")
	}
	c = settings(nil)
	c.Credentials["username"] = "nobody"
	if src, err = openWith(t, c, o); err == nil {
		_, err = src.Check(t.Context(), "")
	}
	if err == nil {
		t.Error("no error")
	}
}
