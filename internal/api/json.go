package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// appender is an answer that writes its own JSON, to the letter what
// encoding/json makes of it: those that are asked for most often are.
type appender interface {
	appendJSON(b []byte) []byte
}

// buffers are for answers on their way; a rare large one is not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const keptBuffer = 64 << 10

// writeJSON answers with a value, which must be able to become JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	buffer := buffers.Get().(*[]byte)
	raw := appendValue((*buffer)[:0], v)
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw) // a client that has gone is no error
	if cap(raw) <= keptBuffer {
		*buffer = raw
		buffers.Put(buffer)
	}
}

// appendValue appends what encoding/json makes of a value.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case appender:
		return v.appendJSON(b)
	case nil:
		return append(b, "null"...)
	case string:
		return appendText(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case map[string]any:
		return appendMap(b, v)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of ours that can't be written
	}
	return append(b, raw...)
}

func appendMap(b []byte, m map[string]any) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	var few [16]string // enough for most
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	sep := byte('{')
	for _, k := range keys {
		b = append(b, sep)
		b = append(appendText(b, k), ':')
		b = appendValue(b, m[k])
		sep = ','
	}
	if len(m) == 0 {
		b = append(b, sep)
	}
	return append(b, '}')
}

// appendText leaves all that needs an escape to encoding/json.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			raw, _ := json.Marshal(s) // a string can always be written
			return append(b, raw...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendTextOf(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return appendText(b, *s)
}

func appendInt[N int | int64](b []byte, n N) []byte { return strconv.AppendInt(b, int64(n), 10) }

func appendIntOf(b []byte, n *int64) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	return appendInt(b, *n)
}

func (t stamp) appendJSON(b []byte) []byte {
	b = append(b, '"')
	return append(time.Time(t).UTC().AppendFormat(b, stampForm), '"')
}

func appendStampOf(b []byte, t *stamp) []byte {
	if t == nil {
		return append(b, "null"...)
	}
	return t.appendJSON(b)
}

func (m storageConnectionModel) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"connection_id":`...), m.ConnectionID)
	b = appendText(append(b, `,"internal_id":`...), m.InternalID)
	b = appendText(append(b, `,"provider_type":`...), m.ProviderType)
	b = appendMap(append(b, `,"provider_config":`...), m.ProviderConfig)
	b = appendText(append(b, `,"name":`...), m.Name)
	b = appendTextOf(append(b, `,"description":`...), m.Description)
	b = appendText(append(b, `,"status":`...), m.Status)
	b = strconv.AppendBool(append(b, `,"is_active":`...), m.IsActive)
	b = appendStampOf(append(b, `,"last_used_at":`...), m.LastUsedAt)
	b = appendTextOf(append(b, `,"last_error":`...), m.LastError)
	b = appendInt(append(b, `,"consecutive_failures":`...), m.ConsecutiveFailures)
	b = m.CreatedAt.appendJSON(append(b, `,"created_at":`...))
	b = m.UpdatedAt.appendJSON(append(b, `,"updated_at":`...))
	b = appendText(append(b, `,"created_by_user_id":`...), m.CreatedByUserID)
	b = appendMap(append(b, `,"metadata":`...), m.Metadata)
	b = appendTextOf(append(b, `,"suspended_by":`...), m.SuspendedBy)
	b = appendTextOf(append(b, `,"status_reason":`...), m.StatusReason)
	b = appendStampOf(append(b, `,"last_checked_at":`...), m.LastCheckedAt)
	b = appendStampOf(append(b, `,"next_check_at":`...), m.NextCheckAt)
	b = strconv.AppendBool(append(b, `,"credentials_destroyed":`...), m.CredentialsDestroyed)
	b = appendIntOf(append(b, `,"check_interval_seconds":`...), m.CheckIntervalSeconds)
	b = appendStampOf(append(b, `,"credentials_expire_at":`...), m.CredentialsExpireAt)
	b = appendTextOf(append(b, `,"advice":`...), m.Advice)
	return append(b, '}')
}

func (r storageConnectionListResponse) appendJSON(b []byte) []byte {
	b = append(b, `{"results":`...)
	if r.Results == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, '[')
		for i := range r.Results {
			if i > 0 {
				b = append(b, ',')
			}
			b = r.Results[i].appendJSON(b)
		}
		b = append(b, ']')
	}
	b = appendValue(append(b, `,"pagination":`...), r.Pagination)
	b = appendInt(append(b, `,"total":`...), r.Total)
	return append(b, '}')
}
