//go:build browser

package browser

import (
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/test/binary"
)

// mooring is the binary that all tests run.
var mooring string

func TestMain(m *testing.M) { os.Exit(binary.Main(m, &mooring)) }

// chromium is a variable that names the browser, as tools/browser prints it.
const chromium = "MOORING_TEST_CHROMIUM"

// TestDashboard runs every *.test.mjs here.
func TestDashboard(t *testing.T) {
	if os.Getenv(chromium) == "" {
		t.Fatalf("%s does not name a browser: run make browser", chromium)
	}
	outside := &proxy{}
	worlds := newWorlds(t)
	control, far := httptest.NewServer(worlds), httptest.NewServer(outside)
	defer far.Close()
	defer control.Close()
	files, err := filepath.Glob(envOr("MOORING_TEST_BROWSER", "*") + ".test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"--test", "--test-concurrency=1", "--test-reporter=spec"}, files...)...)
	cmd.Env = append(os.Environ(), "MOORING_TEST_CONTROL="+control.URL, "MOORING_TEST_PROXY="+far.URL)
	var report bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stdout, &report), os.Stderr
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		t.Errorf("the browser tests failed: %v", err)
		worlds.showLogs()
		_, failures, _ := strings.Cut(report.String(), "failing tests:")
		t.Logf("what failed, again, for whoever sees a log's end only:%s", failures)
	}
	for _, target := range outside.asked() {
		t.Errorf("the browser asked for %s", target)
	}
}

func envOr(name, other string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return other
}
