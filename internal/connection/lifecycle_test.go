package connection_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/secret"
)

var refused = connection.Fault{Kind: errs.Unauthenticated, Origin: errs.Provider, Scope: errs.ScopeConnection,
	Code: "InvalidAccessKeyId", RequestID: "R1", Message: "the key was refused"}

// in makes a connection in a state: "ACTIVE", "FAILED 3", "SUSPENDED system", "SUSPENDED user", "ARCHIVED".
func in(t *testing.T, state string) connection.Connection {
	t.Helper()
	tested := connection.Attempt{ID: "t0", Began: epoch, Generation: 1, Source: connection.SourceTest}
	c := connection.New(connection.Draft{ID: "conn_x", Org: "int_x", Name: "x", Config: sealed("v1")}, &tested, user, epoch)
	fail := func(n int) {
		for i := range n {
			connection.Failure(&c, check(i+1), refused, epoch.Add(time.Duration(i+1)*time.Minute))
		}
	}
	status, arg, _ := strings.Cut(state, " ")
	switch status + " " + arg {
	case "SUSPENDED user":
		_ = connection.Suspend(&c, user, "", epoch)
	case "SUSPENDED system":
		fail(5)
	case "ARCHIVED ":
		_ = connection.Archive(&c, false, user, epoch)
	case "ACTIVE ":
	default:
		fail(int(arg[0] - '0'))
	}
	if string(c.Status) != status {
		t.Fatalf("%s is %s", state, c.Status)
	}
	c.Outbox.Audit, c.Outbox.Events = nil, nil
	return c
}

func check(n int) connection.Attempt {
	return connection.Attempt{ID: fmt.Sprint("c", n), Began: epoch.Add(time.Duration(n) * time.Minute), Generation: 1, Source: connection.SourceCheck}
}

func stateOf(c *connection.Connection) string {
	switch c.Status {
	case connection.Failed:
		return fmt.Sprint(c.Status, " ", c.Failures)
	case connection.Suspended:
		return fmt.Sprint(c.Status, " ", c.SuspendedBy)
	}
	return string(c.Status)
}

// TestTransitions is the table of the design, every state by every event.
// "409" is an errs.Conflict that leaves all as it is.
func TestTransitions(t *testing.T) {
	const later = 10
	now := epoch.Add(later * time.Minute)
	passed := check(later)
	do := map[string]func(c *connection.Connection) error{
		"fail":    func(c *connection.Connection) error { connection.Failure(c, check(later), refused, now); return nil },
		"succeed": func(c *connection.Connection) error { connection.Success(c, check(later), now); return nil },
		"suspend": func(c *connection.Connection) error { return connection.Suspend(c, user, "", now) },
		"resume":  func(c *connection.Connection) error { return connection.Resume(c, passed, user, now) },
		"replace": func(c *connection.Connection) error {
			return connection.ReplaceConfig(c, sealed("v2"), &passed, user, now)
		},
		"replace only": func(c *connection.Connection) error { return connection.ReplaceConfig(c, sealed("v2"), nil, user, now) },
		"archive":      func(c *connection.Connection) error { return connection.Archive(c, false, user, now) },
		"amend": func(c *connection.Connection) error {
			return connection.Amend(c, connection.Edit{Name: new("y")}, user, now)
		},
	}
	states := []string{"ACTIVE", "FAILED 1", "FAILED 4", "SUSPENDED system", "SUSPENDED user", "ARCHIVED"}
	want := map[string][6]string{
		"fail":         {"FAILED 1", "FAILED 2", "SUSPENDED system", "SUSPENDED system", "SUSPENDED user", "ARCHIVED"},
		"succeed":      {"ACTIVE", "ACTIVE", "ACTIVE", "SUSPENDED system", "SUSPENDED user", "ARCHIVED"},
		"suspend":      {"SUSPENDED user", "SUSPENDED user", "SUSPENDED user", "SUSPENDED system", "SUSPENDED user", "409"},
		"resume":       {"ACTIVE", "409", "409", "ACTIVE", "ACTIVE", "409"},
		"replace":      {"ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "SUSPENDED user", "409"},
		"replace only": {"ACTIVE", "FAILED 1", "FAILED 4", "SUSPENDED system", "SUSPENDED user", "409"},
		"archive":      {"ARCHIVED", "ARCHIVED", "ARCHIVED", "ARCHIVED", "ARCHIVED", "409"},
		"amend":        {"ACTIVE", "FAILED 1", "FAILED 4", "SUSPENDED system", "SUSPENDED user", "409"},
	}
	for what, results := range want {
		for i, state := range states {
			c := in(t, state)
			before := c
			err := do[what](&c)
			if results[i] == "409" {
				if !errs.Is(err, errs.Conflict) || !reflect.DeepEqual(before, c) || !strings.Contains(err.Error(), string(before.Status)) {
					t.Errorf("%s of %s: %v, %s", what, state, err, stateOf(&c))
				}
			} else if err != nil || stateOf(&c) != results[i] {
				t.Errorf("%s of %s gives %s, %v; want %s", what, state, stateOf(&c), err, results[i])
			}
		}
	}
}

func TestEventsAndTrail(t *testing.T) {
	types := func(c connection.Connection) (list []string) {
		for _, e := range c.Outbox.Events {
			list = append(list, e.Type)
		}
		return list
	}
	c := in(t, "ACTIVE")
	for n := 1; n <= 5; n++ {
		connection.Failure(&c, check(n), refused, epoch)
	}
	if got := types(c); !reflect.DeepEqual(got, []string{event.ConnectionFailed, event.ConnectionSuspended}) {
		t.Errorf("five failures raise %v", got)
	}
	if len(c.Outbox.Audit) != 5 || c.Outbox.Audit[4].Action != audit.ConnectionFailed || c.Outbox.Audit[4].Actor.ID != "system" {
		t.Errorf("five failures leave %+v", c.Outbox.Audit)
	}
	if e := c.Evidence[4]; e.Kind != "unauthenticated" || e.Scope != "connection" || e.Code != "InvalidAccessKeyId" || e.RequestID != "R1" || e.Source != "check" {
		t.Errorf("evidence: %+v", e)
	}
	if !strings.Contains(c.StatusReason, "the key was refused") {
		t.Errorf("reason: %q", c.StatusReason)
	}
	c.Outbox.Events = nil
	if err := connection.Resume(&c, check(9), user, epoch); err != nil || !reflect.DeepEqual(types(c), []string{event.ConnectionRecovered}) {
		t.Errorf("a resume raises %v, %v", types(c), err)
	}
	c.Outbox.Events, c.Outbox.Audit = nil, nil
	connection.Success(&c, check(10), epoch)
	if !c.Outbox.Empty() {
		t.Errorf("a success of a healthy connection leaves %+v", c.Outbox)
	}
}

func TestPace(t *testing.T) {
	minutes := func(f connection.Fault) (list []int) {
		c := in(t, "ACTIVE")
		for n := 1; n <= 4; n++ {
			now := epoch.Add(time.Duration(n) * time.Minute)
			connection.Failure(&c, check(n), f, now)
			list = append(list, int(c.NextCheckAt.Sub(now).Minutes()))
		}
		return list
	}
	unreachable := refused
	unreachable.Kind = errs.Unavailable
	if got := minutes(refused); !reflect.DeepEqual(got, []int{1, 5, 30, 120}) {
		t.Errorf("refused: %v", got)
	}
	if got := minutes(unreachable); !reflect.DeepEqual(got, []int{15, 60, 360, 1080}) {
		t.Errorf("unreachable: %v", got)
	}
	unreachable.RetryAfter = 2 * time.Hour
	if got := minutes(unreachable); !reflect.DeepEqual(got, []int{120, 120, 360, 1080}) {
		t.Errorf("unreachable until told otherwise: %v", got)
	}
	// A check that says nothing is not repeated at once, nor before the provider wants it.
	c := in(t, "ACTIVE")
	connection.Failure(&c, check(1), connection.Fault{Kind: errs.Throttled, Origin: errs.Provider, RetryAfter: time.Hour}, epoch)
	if c.NextCheckAt.Sub(epoch) != time.Hour || c.Status != connection.Active {
		t.Errorf("throttled: %v %s", c.NextCheckAt, c.Status)
	}
}

// TestWhatCounts is the design's "What counts", one fact at a time.
func TestWhatCounts(t *testing.T) {
	type fault = connection.Fault
	vary := func(change func(*connection.Attempt, *fault)) (connection.Attempt, fault) {
		a, f := check(1), refused
		change(&a, &f)
		return a, f
	}
	sync := func(kind errs.Kind, confirmed bool) func(*connection.Attempt, *fault) {
		return func(a *connection.Attempt, f *fault) {
			a.Source, f.Kind, f.Confirmed = connection.SourceSync, kind, confirmed
		}
	}
	for what, tt := range map[string]struct {
		change func(*connection.Attempt, *fault)
		want   bool
	}{
		"a refused credential":           {func(*connection.Attempt, *fault) {}, true},
		"a test":                         {func(a *connection.Attempt, _ *fault) { a.Source = connection.SourceTest }, true},
		"the configured drive is gone":   {func(_ *connection.Attempt, f *fault) { f.Kind = errs.NotFound }, true},
		"unreachable":                    {func(_ *connection.Attempt, f *fault) { f.Kind = errs.Unavailable }, true},
		"nothing else can be reached":    {func(_ *connection.Attempt, f *fault) { f.Kind, f.Isolated = errs.Unavailable, true }, false},
		"throttled":                      {func(_ *connection.Attempt, f *fault) { f.Kind = errs.Throttled }, false},
		"canceled":                       {func(_ *connection.Attempt, f *fault) { f.Kind = errs.Canceled }, false},
		"our own fault":                  {func(_ *connection.Attempt, f *fault) { f.Origin = errs.Ours }, false},
		"one path":                       {func(_ *connection.Attempt, f *fault) { f.Scope = errs.ScopePath }, false},
		"one object":                     {func(_ *connection.Attempt, f *fault) { f.Scope = errs.ScopeObject }, false},
		"began before the last success":  {func(a *connection.Attempt, _ *fault) { a.Began = epoch.Add(-time.Second) }, false},
		"replaced credentials":           {func(a *connection.Attempt, _ *fault) { a.Generation = 0 }, false},
		"a sync, refused":                {sync(errs.Unauthenticated, false), true},
		"a sync, unreachable":            {sync(errs.Unavailable, false), false},
		"a sync, unreachable, checked":   {sync(errs.Unavailable, true), true},
		"a sync, drive is gone":          {sync(errs.NotFound, false), false},
		"a sync, drive is gone, checked": {sync(errs.NotFound, true), true},
	} {
		c := in(t, "ACTIVE")
		a, f := vary(tt.change)
		got := connection.Failure(&c, a, f, epoch.Add(time.Minute))
		if got != tt.want || (c.Status == connection.Failed) != tt.want || connection.Failure(&c, a, f, epoch.Add(time.Hour)) {
			t.Errorf("%s: counted %v, %s", what, got, stateOf(&c))
		}
	}
}

// TestManySyncsAtOnce: runs that were under way when the credential was revoked
// count as one failure, not as five.
func TestManySyncsAtOnce(t *testing.T) {
	c := in(t, "ACTIVE")
	for n := range 20 {
		a := check(n + 1)
		a.Source = connection.SourceSync
		connection.Failure(&c, a, refused, epoch)
	}
	if stateOf(&c) != "FAILED 1" {
		t.Errorf("twenty runs give %s", stateOf(&c))
	}
}

func TestArchiveKeepsCredentialsOnlyWhenTold(t *testing.T) {
	c := in(t, "ACTIVE")
	if err := connection.Archive(&c, false, user, epoch); err != nil || len(c.Config.Secrets) > 0 || !c.CredentialsDestroyed ||
		!reflect.DeepEqual(c.Config.Destroyed, []string{"secret_access_key"}) {
		t.Errorf("%v %+v", err, c.Config)
	}
	c = in(t, "ACTIVE")
	if err := connection.Archive(&c, true, user, epoch); err != nil || len(c.Config.Secrets) != 1 || c.CredentialsDestroyed {
		t.Errorf("%v %+v", err, c.Config)
	}
}

func TestTheTrailShowsNoSecret(t *testing.T) {
	c := in(t, "ACTIVE")
	if err := connection.ReplaceConfig(&c, sealed("v2"), nil, user, epoch); err != nil {
		t.Fatal(err)
	}
	got := c.Outbox.Audit[0].Changes
	want := map[string]any{
		"provider_config.credentials.access_key_id":     []any{"v1", "v2"},
		"provider_config.credentials.secret_access_key": []any{secret.Marker, secret.Marker},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestFaultIsScrubbedAndCut(t *testing.T) {
	err := &errs.Error{Kind: errs.Unauthenticated, Origin: errs.Provider, Scope: errs.ScopeConnection,
		Msg: "refused hunter2-hunter2 " + strings.Repeat("x", 2000), Code: "Bad hunter2-hunter2", Err: errors.New("body")}
	f := connection.FaultOf(err, []secret.String{secret.New("hunter2-hunter2")})
	if strings.Contains(fmt.Sprint(f), "hunter2") || utf8.RuneCountInString(f.Message) > 1000 || !f.Countable() {
		t.Errorf("%+v", f)
	}
}

func TestAdviceNamesTheField(t *testing.T) {
	e := &errs.Error{Kind: errs.Unauthenticated, Origin: errs.Provider, Code: "InvalidAccessKeyId"}
	for _, provider := range []string{"s3", "tigris"} {
		if a, ok := connection.Advise(provider, "access_key", e); !ok || a.Field != "credentials.access_key_id" {
			t.Errorf("%s: %+v", provider, a)
		}
	}
	e.Code = "AccessDenied"
	if a, _ := connection.Advise("s3", "iam_role", e); a.Field != "credentials.role_arn" {
		t.Errorf("%+v", a)
	}
	if _, ok := connection.Advise("s3", "access_key", errs.New(errs.Internal, "x", "")); ok {
		t.Error("advice on an error of ours")
	}
}

func TestResumeNeedsATestOfWhatItResumes(t *testing.T) {
	c := in(t, "SUSPENDED user")
	if err := connection.ApplyStatus(&c, connection.StatusRequest{Want: connection.Active, By: user}, epoch); !errs.Is(err, errs.Conflict) {
		t.Errorf("a resume without a test: %v", err)
	}
	passed := check(1)
	if err := connection.ReplaceConfig(&c, sealed("v2"), nil, user, epoch); err != nil {
		t.Fatal(err)
	}
	err := connection.ApplyStatus(&c, connection.StatusRequest{Want: connection.Active, By: user, Passed: &passed}, epoch)
	if !errs.Is(err, errs.Conflict) || c.Status != connection.Suspended {
		t.Errorf("a resume on a test of replaced credentials: %v", err)
	}
}
