package service

import (
	"context"
	"errors"
	"maps"
	"time"

	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
)

// TestResult is the verdict of a live test. It holds no secret.
type TestResult struct {
	Success bool
	Message string         // one line for a person
	Details map[string]any // latency_ms; of a failure: kind, scope, error_code, request_id, field
}

// TestFailure is the cause of the errs.Invalid or errs.Conflict with which a
// create, update or resume ends whose test failed. Nothing was saved.
type TestFailure struct{ Result TestResult }

// Error says only what failed: the message is the error's around it.
func (f *TestFailure) Error() string { return "the connection test failed" }

// outcome is a finished test.
type outcome struct {
	attempt connection.Attempt
	result  TestResult
	err     *errs.Error // explained; nil when it passed
	fault   connection.Fault
}

// probe tests a configuration. What the provider, or the way to it, says is
// the outcome; an error is a fault of ours, a wrong configuration or the
// caller's end, of which nothing follows for the connection.
func (s *Service) probe(ctx context.Context, c config.Config, t driver.Tokens, source string, generation int64) (outcome, error) {
	return s.attempt(ctx, c, t, source, generation, func(ctx context.Context, p Prober) (driver.Report, error) {
		return p.Check(ctx, c.Target())
	})
}

// validate opens a configuration without contacting the provider.
func (s *Service) validate(ctx context.Context, c config.Config) (outcome, error) {
	return s.attempt(ctx, c, provider.NewTokens(s.d.Now), "", 0, func(context.Context, Prober) (driver.Report, error) { return driver.Report{}, nil })
}

func (s *Service) attempt(ctx context.Context, c config.Config, t driver.Tokens, source string, generation int64,
	use func(context.Context, Prober) (driver.Report, error),
) (outcome, error) {
	began := s.d.Now()
	o := outcome{attempt: connection.Attempt{ID: id.NewToken(24), Began: began, Generation: generation, Source: source, Pace: s.d.CheckEvery}}
	report, err := within(ctx, s, c, t, use)
	latency := s.d.Now().Sub(began).Milliseconds()
	risk := c.Risk()
	if err == nil {
		o.result = TestResult{Success: true, Message: config.Scrub(report.Message, c.SecretList()), Details: map[string]any{}}
		maps.Copy(o.result.Details, report.Details)
		if o.result.Message == "" {
			o.result.Message = "the connection works"
		}
		if risk != "" {
			o.result.Message += ". But " + risk
			o.result.Details["warning"] = risk
		}
		o.result.Details["latency_ms"] = latency
		return o, nil
	}
	if ours(ctx, err) {
		return outcome{}, err
	}
	o.err = explain(c, err)
	o.fault = connection.FaultOf(o.err, c.SecretList())
	if o.fault.Countable() && o.fault.Kind == errs.Unavailable && s.d.Isolated != nil {
		o.fault.Isolated = s.d.Isolated(ctx)
	}
	o.result = TestResult{Message: o.err.Message(), Details: details(c, o.err)}
	o.result.Details["latency_ms"] = latency
	return o, nil
}

// warn has the log say what a connection that is used leaves unprotected.
func (s *Service) warn(ctx context.Context, c *connection.Connection) {
	if risk := c.Config.Risk(); risk != "" && s.d.Log != nil {
		s.d.Log.WarnContext(ctx, "a connection is not protected on its way: "+risk, "organization", c.Org, "connection", c.ID, "provider", c.Provider, "host", c.Config.Host())
	}
}

// within opens c, uses it and closes it, in the time a test may take.
func within[T any](ctx context.Context, s *Service, c config.Config, t driver.Tokens, use func(context.Context, Prober) (T, error)) (out T, err error) {
	limited, cancel := context.WithTimeout(ctx, s.d.TestTimeout)
	defer cancel()
	p, err := s.d.Opener.Open(limited, c.Provider, c, t)
	if err != nil {
		return out, err
	}
	defer func() { _ = p.Close() }() // only read from
	out, err = use(limited, p)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "connection.test",
			Msg: "the provider did not answer within " + s.d.TestTimeout.Round(time.Millisecond).String(), Err: err}
	}
	return out, err
}

// ours reports whether an error of opening or using a source says nothing
// about the connection.
func ours(ctx context.Context, err error) bool {
	e := errs.From(err)
	switch {
	case ctx.Err() != nil, e.Kind == errs.Canceled:
		return true
	case e.Origin == errs.Provider:
		return false
	}
	return e.Kind == errs.Internal || e.Kind == errs.Corrupt || len(e.Fields) > 0
}

// explain adds to a provider's refusal which field is wrong and what to do, and
// removes the configuration's secrets from it. Kind, scope, code and request id
// stay.
func explain(c config.Config, err error) *errs.Error {
	e := *errs.From(err)
	e.Kind = errs.KindOf(err)
	if e.Msg == "" {
		e.Msg = (&errs.Error{Kind: e.Kind}).Message()
	}
	if a, ok := connection.Advise(c.Provider, c.Credential, err); ok {
		e.Msg += ": " + a.Text
	}
	secrets := c.SecretList()
	e.Msg, e.Code, e.RequestID = config.Scrub(e.Msg, secrets), config.Scrub(e.Code, secrets), config.Scrub(e.RequestID, secrets)
	e.Err = nil // nobody prints it, and it may hold what a provider said
	return &e
}

func details(c config.Config, e *errs.Error) map[string]any {
	d := map[string]any{"kind": e.Kind.String()}
	set := func(name, v string) {
		if v != "" {
			d[name] = v
		}
	}
	set("scope", e.Scope.String())
	set("error_code", e.Code)
	set("request_id", e.RequestID)
	if a, ok := connection.Advise(c.Provider, c.Credential, e); ok {
		set("field", a.Field)
	}
	if e.RetryAfter > 0 {
		d["retry_after_seconds"] = int64((e.RetryAfter + time.Second - 1) / time.Second)
	}
	return d
}

// failure turns a test that failed into the error of what needed it to pass: it
// is ours, whatever the provider's kind, since a provider's refusal must never
// look like a refusal of the caller.
func (o outcome) failure(k errs.Kind, op, before string) error {
	if o.err == nil {
		return nil
	}
	return &errs.Error{Kind: k, Op: op, Msg: before + o.err.Msg, Code: o.err.Code, RequestID: o.err.RequestID, Err: &TestFailure{o.result}}
}

// ResultOf returns the test result that an error of Create or Update is about.
func ResultOf(err error) (TestResult, bool) {
	var f *TestFailure
	if errors.As(err, &f) {
		return f.Result, true
	}
	return TestResult{}, false
}
