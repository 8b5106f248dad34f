package snowflake

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/snowflakedb/gosnowflake"
)

// silence keeps the driver from logging, once a process: it writes URLs to the
// standard error.
var silence = sync.OnceFunc(func() {
	l := gosnowflake.GetLogger()
	l.SetOutput(io.Discard)
	_ = l.SetLogLevel("OFF")
	var q gosnowflake.SFLogger = silent{l}
	gosnowflake.SetLogger(&q)
	// Each download holds a part of a result in memory.
	gosnowflake.MaxChunkDownloadWorkers = 3
	settleLogging()
})

// silent is a logger that stays when the driver puts another one in its place.
type silent struct{ gosnowflake.SFLogger }

func (s silent) Replace(other *gosnowflake.SFLogger) {
	var q gosnowflake.SFLogger = s
	(*other).Replace(&q) // so that it closes its file
}

// settleLogging answers the driver's question for sf_client_config.json with a
// file of ours that turns logging off. It asks once a process: else a file in the
// home, beside the program or named in the environment would decide, write a log,
// and refuse every login if it is damaged. There is no other switch (v1.19.1).
func settleLogging() {
	dir, err := os.MkdirTemp("", "mooring-snowflake-")
	if err != nil {
		return // a disk that is full or read-only takes no log either
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "config.json")
	// Without a level it is off. It makes its log all the same, which goes with the folder.
	text, err := json.Marshal(map[string]any{"common": map[string]string{"log_path": dir}})
	if err != nil || os.WriteFile(name, text, 0o600) != nil {
		return
	}
	c := gosnowflake.Config{
		Account: "none", User: "none", Password: "none", Host: "localhost", Port: 1, Protocol: "http",
		Transporter: nowhere{}, DisableOCSPChecks: true, MaxRetryCount: 1, ClientConfigFile: name,
	}
	c.DisableTelemetry = true //nolint:staticcheck // deprecated, and without a successor so far
	if conn, err := (gosnowflake.SnowflakeDriver{}).OpenWithConfig(context.Background(), c); err == nil {
		_ = conn.Close()
	}
}

// nowhere is a transport that asks nobody and gives an answer that is final.
type nowhere struct{}

func (nowhere) RoundTrip(q *http.Request) (*http.Response, error) { return refusal(q), nil }
