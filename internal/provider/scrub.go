package provider

import (
	"context"
	"errors"
	"regexp"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// scrubber takes the secrets of one configuration out of texts.
type scrubber struct{ text func(string) string }

func newScrubber(c config.Config) scrubber { return scrubber{config.Scrubber(c.SecretList())} }

// error makes an adapter's error fit to be shown: classified, with an Op, no
// secret, and of the provider's own words only a code and a request id.
func (s scrubber) error(err error, op string) error {
	if err == nil {
		return nil
	}
	var in *errs.Error
	if !errors.As(err, &in) {
		in = &errs.Error{Kind: errs.KindOf(err), Origin: errs.Provider, Msg: "the adapter failed"}
		if in.Kind == errs.Canceled || errors.Is(err, context.DeadlineExceeded) {
			in.Msg = "the operation was given up"
		}
	}
	out := *in
	if in.Err == nil && err == error(in) { //nolint:errorlint // err itself, not what it wraps
		out.Err = nil // a cause would repeat the message
	} else {
		out.Err = &cause{err: err, scrub: s}
	}
	if out.Op == "" {
		out.Op = op
	}
	out.Op, out.Msg = s.text(out.Op), s.text(out.Msg)
	out.Code = token(s.text(out.Code), 64)
	out.RequestID = token(s.text(out.RequestID), 128)
	out.Fields = nil
	for _, f := range in.Fields {
		f.Msg = s.text(f.Msg)
		out.Fields = append(out.Fields, f)
	}
	return &out
}

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_.:/+=*-]+$`)

// token is a provider's code or request id, where it has the form of one. Else it
// is nothing: a part of a sentence that repeats what was sent may be a part of an
// access token, which no scrubber knows.
func token(t string, most int) string {
	if len(t) > most || !tokenForm.MatchString(t) {
		return ""
	}
	return t
}

// cause is the adapter's error below a scrubbed one: it can be asked what it is,
// and prints nothing secret.
type cause struct {
	err   error
	scrub scrubber
}

func (c *cause) Error() string { return c.scrub.text(c.err.Error()) }

// Is keeps errors.Is at work for what callers ask about, without handing the
// error itself out.
func (c *cause) Is(target error) bool { return errors.Is(c.err, target) }

// As finds what is not the adapter's *errs.Error, whose text is not scrubbed.
func (c *cause) As(target any) bool {
	if _, ours := target.(**errs.Error); ours {
		return false
	}
	return errors.As(c.err, target)
}

func (s scrubber) report(r driver.Report) driver.Report {
	r.Message = s.text(r.Message)
	r.Details, _ = s.value(r.Details).(map[string]any)
	return r
}

// value scrubs the texts in a value of a report.
func (s scrubber) value(v any) any {
	switch v := v.(type) {
	case string:
		return s.text(v)
	case []string:
		out := make([]string, len(v))
		for i, t := range v {
			out[i] = s.text(t)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, t := range v {
			out[i] = s.value(t)
		}
		return out
	case map[string]any:
		if v == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for k, t := range v {
			out[k] = s.value(t)
		}
		return out
	}
	return v
}
