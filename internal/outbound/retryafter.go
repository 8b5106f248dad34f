package outbound

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server may ask to wait.
const maxRetryAfter = 24 * time.Hour

// RetryAfter is how long an answer asks to wait: in seconds or until a date, at
// most a day. It is 0 without the header, and for one that can't be read.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
		return time.Duration(max(0, min(n, int(maxRetryAfter/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}
