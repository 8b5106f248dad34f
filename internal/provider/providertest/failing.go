package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// operations are the calls of a source, each with a context of its own.
func operations(src driver.Source, scope driver.Scope, it driver.Item) map[string]func(context.Context) error {
	out := map[string]func(context.Context) error{
		Check:   func(ctx context.Context) error { _, err := src.Check(ctx, scope.Path); return err },
		Browse:  func(ctx context.Context) error { _, err := src.Browse(ctx, scope.Path, "", 10); return err },
		Changes: func(ctx context.Context) error { _, err := src.Changes(ctx, scope, nil); return err },
		Stat:    func(ctx context.Context) error { _, err := src.Stat(ctx, scope, it.ID); return err },
		Open:    func(ctx context.Context) error { _, err := read(ctx, src, it, 0); return err },
	}
	if r, ok := src.(driver.Ranger); ok {
		out[OpenRange] = func(ctx context.Context) error { _, err := readRange(ctx, r, it, 0, 1); return err }
	}
	if sp, ok := src.(driver.Splitter); ok {
		out[Split] = func(ctx context.Context) error { _, err := sp.Split(ctx, scope, 3); return err }
	}
	if a, ok := src.(driver.Attributer); ok {
		out[Attributes] = func(ctx context.Context) error {
			_, err := a.Attributes(ctx, it, driver.Want{Metadata: true, Tags: true})
			return err
		}
	}
	return out
}

func testErrors(t *testing.T, s *suite) {
	if s.lacks(t, s.Fail == nil, "Fail") {
		return
	}
	s.Put(t, "file", []byte("x"))
	it := s.item(t, s.open(t), "file")
	asked := 0
	for _, k := range []errs.Kind{errs.Unauthenticated, errs.PermissionDenied, errs.NotFound, errs.Throttled, errs.Unavailable} {
		if !s.Fail(t, k) {
			t.Logf("not asked: no failure of kind %v", k)
			continue
		}
		asked++
		for method, call := range operations(s.open(t), s.Scope, it) {
			err := call(t.Context())
			var e *errs.Error
			if !errors.As(err, &e) {
				t.Errorf("%s, %v: %v is no *errs.Error", method, k, err)
				continue
			}
			if e.Kind != k || e.Origin != errs.Provider || e.Scope == errs.ScopeNone || e.Msg == "" && e.Code == "" {
				t.Errorf("%s, %v: kind %v, origin %v, scope %q: %v", method, k, e.Kind, e.Origin, e.Scope, e)
			}
			if k == errs.Unauthenticated && e.Scope != errs.ScopeConnection {
				t.Errorf("%s: a refused credential has the scope %q", method, e.Scope)
			}
			s.clean(t, method, err)
		}
	}
	if asked == 0 {
		t.Error("the harness can't fail at all")
	}
}

// clean asserts that nothing printed of an error repeats the provider's text or a secret.
func (s *suite) clean(t testing.TB, method string, err error) {
	t.Helper()
	e := errs.From(err)
	fields, _ := json.Marshal([]any{e.Op, e.Msg, e.Code, e.RequestID, e.Fields})
	for _, text := range []string{err.Error(), e.Message(), string(fields)} {
		for _, bad := range []string{s.BodyText, s.Secret} {
			if bad != "" && strings.Contains(text, bad) {
				t.Errorf("%s: the error repeats %q: %s", method, bad, text)
			}
		}
	}
}

func testCheck(t *testing.T, s *suite) {
	s.fill(t, s.PageSize+1)
	src := s.open(t)
	for _, target := range []string{"", s.Scope.Path} {
		var before int
		if s.Requests != nil {
			before = s.Requests()
		}
		r, err := src.Check(t.Context(), target)
		if err != nil {
			t.Errorf("Check(%q): %v", target, err)
		}
		if r.Message == "" {
			t.Errorf("Check(%q) has no message", target)
		}
		if s.Requests != nil && s.Requests()-before > 3 {
			t.Errorf("Check(%q) took %d requests", target, s.Requests()-before)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Errorf("the report is not JSON: %v", err)
		}
		if s.Secret != "" && strings.Contains(string(text), s.Secret) {
			t.Errorf("the report holds the secret: %s", text)
		}
	}
}

func testCanceled(t *testing.T, s *suite) {
	s.Put(t, "file", []byte("x"))
	src := s.open(t)
	it := s.item(t, src, "file")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for method, call := range operations(src, s.Scope, it) {
		err := call(ctx)
		wantKind(t, method+" with a cancelled context", err, errs.Canceled)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v hides its cause", method, err)
		}
	}
}

// testCanceledMidway ends the context while a request hangs. If the source did
// not return, the test would hang until its deadline.
func testCanceledMidway(t *testing.T, s *suite) {
	if s.lacks(t, s.Block == nil, "Block") {
		return
	}
	s.Put(t, "file", []byte("x"))
	src := s.open(t)
	it := s.item(t, src, "file")
	started := make(chan struct{}, 100)
	s.Block(t, func() { started <- struct{}{} })
	for method, call := range operations(src, s.Scope, it) {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var err error
		wg.Go(func() { err = call(ctx) })
		<-started
		cancel()
		wg.Wait()
		wantKind(t, method+" whose context ends midway", err, errs.Canceled)
	}
}
