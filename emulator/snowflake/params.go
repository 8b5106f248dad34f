package snowflake

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// sessionParams are the parameters a session may set, and those a client is told
// of even if it sets none.
var sessionParams = map[string]bool{
	"TIMEZONE": true, "GO_QUERY_RESULT_FORMAT": true, "STATEMENT_TIMEOUT_IN_SECONDS": true, "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": true,
	"QUERY_TAG": true, "TIMESTAMP_OUTPUT_FORMAT": true, "TIMESTAMP_NTZ_OUTPUT_FORMAT": true, "TIMESTAMP_LTZ_OUTPUT_FORMAT": true,
	"TIMESTAMP_TZ_OUTPUT_FORMAT": true, "DATE_OUTPUT_FORMAT": true, "DATE_INPUT_FORMAT": true, "TIMESTAMP_INPUT_FORMAT": true, "TIME_OUTPUT_FORMAT": true, "BINARY_OUTPUT_FORMAT": true,
	"GEOGRAPHY_OUTPUT_FORMAT": true, "CLIENT_SESSION_KEEP_ALIVE": true, "CLIENT_TELEMETRY_ENABLED": true, "AUTOCOMMIT": true,
	"USE_CACHED_RESULT": true, "CLIENT_PREFETCH_THREADS": true, "CLIENT_RESULT_CHUNK_SIZE": true,
}

// set changes a parameter of the session.
func (ses *session) set(name, value string) *failure {
	name = strings.ToUpper(name)
	if !sessionParams[name] {
		return failf("001006", "SQL compilation error:\ninvalid parameter '%s'", name)
	}
	switch name {
	case "TIMEZONE":
		zone, err := time.LoadLocation(value)
		if err != nil || value == "" || value == "Local" {
			return failf("001008", "SQL compilation error: invalid value '%s' for parameter 'TIMEZONE'", value)
		}
		ses.zone = zone
	case "GO_QUERY_RESULT_FORMAT":
		if !strings.EqualFold(value, "JSON") {
			return failf("001008", "SQL compilation error: this emulator has no results but JSON")
		}
	case "STATEMENT_TIMEOUT_IN_SECONDS":
		if n, err := strconv.Atoi(value); err != nil || n < 0 || n > 604800 {
			return failf("001008", "SQL compilation error: invalid value '%s' for parameter '%s'", value, name)
		}
	}
	ses.params[name] = value
	return nil
}

// timeout is how long a statement may run; 0 for any time.
func (ses *session) timeout(request map[string]any) time.Duration {
	text := ses.params["STATEMENT_TIMEOUT_IN_SECONDS"]
	if v, ok := request["STATEMENT_TIMEOUT_IN_SECONDS"]; ok {
		text = paramText(v)
	}
	n, _ := strconv.Atoi(text) // checked when it was set
	return time.Duration(n) * time.Second
}

// wireParams are the parameters as a client is told of them.
func (ses *session) wireParams() []map[string]any {
	out := []map[string]any{{"name": "TIMEZONE", "value": ses.zone.String()}, {"name": "CLIENT_TELEMETRY_ENABLED", "value": false}}
	for name, value := range ses.params {
		if name != "TIMEZONE" && name != "CLIENT_TELEMETRY_ENABLED" {
			out = append(out, map[string]any{"name": name, "value": value})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i]["name"].(string) < out[j]["name"].(string) })
	return out
}

func paramText(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
