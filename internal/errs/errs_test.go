package errs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"mooring/internal/errs"
)

func TestKindSurvivesWrapping(t *testing.T) {
	base := &errs.Error{Kind: errs.Throttled, Origin: errs.Provider, Scope: errs.ScopePath, Code: "SlowDown", Err: errors.New("body: hunter2")}
	err := errs.Wrap(fmt.Errorf("outer: %w", base), errs.Internal, "sync.run", "the run stopped")
	if errs.KindOf(err) != errs.Throttled || errs.ScopeOf(err) != errs.ScopePath {
		t.Errorf("kind %v scope %v", errs.KindOf(err), errs.ScopeOf(err))
	}
	if !strings.Contains(err.Error(), "SlowDown") {
		t.Errorf("the provider's code is missing: %q", err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the provider's text is printed: %q", err)
	}
	if !errors.Is(err, base) {
		t.Error("the cause is lost")
	}
}

func TestContextErrors(t *testing.T) {
	if k := errs.KindOf(fmt.Errorf("x: %w", context.Canceled)); k != errs.Canceled {
		t.Errorf("canceled is %v", k)
	}
	if k := errs.KindOf(context.DeadlineExceeded); k != errs.Unavailable {
		t.Errorf("a deadline is %v", k)
	}
	if errs.Wrap(nil, errs.Internal, "", "") != nil {
		t.Error("wrapping nil is not nil")
	}
}

func TestKindNamesRoundTrip(t *testing.T) {
	for k := errs.Internal; k <= errs.Canceled; k++ {
		if errs.ParseKind(k.String()) != k {
			t.Errorf("%d %s does not come back", k, k)
		}
	}
}

func TestFieldsGatherAll(t *testing.T) {
	f := errs.NewFields("body")
	f.At("provider_config").Add("missing", "field required", "region")
	f.Add("string_too_long", "too long", "name")
	e := errs.From(f.Err("create"))
	if len(e.Fields) != 2 || fmt.Sprint(e.Fields[0].Loc) != "[body provider_config region]" {
		t.Errorf("fields: %+v", e.Fields)
	}
	if errs.NewFields().Err("x") != nil {
		t.Error("no bad field is an error")
	}
}
