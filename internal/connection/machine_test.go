package connection_test

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/event"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// machine drives one connection through the lifecycle beside a model that
// restates the rules of the design in its own terms.
type machine struct {
	c   connection.Connection
	now time.Time

	begun       []connection.Attempt
	counted     map[string]bool // attempts that ever counted
	sinceGood   int             // counted failures since the last success
	lastGood    time.Time       // when the last success began
	byUser      bool            // suspended by a user
	everArchive bool
	suspensions int // by the system
	generation  int64
}

func newMachine(t *rapid.T) *machine {
	m := &machine{now: epoch, generation: 1, counted: map[string]bool{}}
	var tested *connection.Attempt
	if rapid.Bool().Draw(t, "tested") {
		tested = &connection.Attempt{ID: "create", Began: m.now, Generation: 1, Source: connection.SourceTest}
		m.lastGood = m.now
	}
	m.c = connection.New(connection.Draft{ID: "conn_x", Org: "int_x", Name: "x", Config: sealed("v1")}, tested, user, m.now)
	return m
}

var user = audit.Actor{ID: "usr_x", Type: audit.ByUser}

func sealed(v string) config.Sealed {
	return config.Sealed{Provider: "s3", Credential: "access_key", Fields: map[string]any{"region": "eu-west-1"},
		Credentials: map[string]any{"access_key_id": v}, Secrets: map[string]bson.Binary{"secret_access_key": {Subtype: 6, Data: []byte(v)}}}
}

func (m *machine) watched() bool {
	return m.c.Status == connection.Active || m.c.Status == connection.Failed
}

func (m *machine) begin(t *rapid.T) connection.Attempt {
	a := connection.Attempt{
		ID: fmt.Sprint("a", len(m.begun)), Began: m.now, Generation: m.generation,
		Source: rapid.SampledFrom([]string{connection.SourceCheck, connection.SourceTest, connection.SourceSync}).Draw(t, "source"),
	}
	m.begun = append(m.begun, a)
	return a
}

// pick takes an attempt that began at some time, perhaps one that was reported before.
func (m *machine) pick(t *rapid.T) connection.Attempt {
	if len(m.begun) == 0 || rapid.Bool().Draw(t, "new") {
		return m.begin(t)
	}
	return m.begun[rapid.IntRange(0, len(m.begun)-1).Draw(t, "old")]
}

func (m *machine) Clock(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.Int64Range(-2000, 20000).Draw(t, "ms")) * time.Millisecond)
}

func (m *machine) Begin(t *rapid.T) { m.begin(t) }

var kinds = []errs.Kind{errs.Unauthenticated, errs.Unauthenticated, errs.PermissionDenied, errs.NotFound, errs.Unavailable, errs.Invalid,
	errs.Throttled, errs.Canceled, errs.Internal, errs.Stale, errs.Corrupt, errs.CursorExpired, errs.Conflict}

// Refused is the failure that counts, often enough to reach the fifth.
func (m *machine) Refused(t *rapid.T) { m.fail(t, m.pick(t), refused) }

// RefusedAgain reports attempts once more that may have counted.
func (m *machine) RefusedAgain(t *rapid.T) {
	for _, a := range m.begun {
		m.fail(t, a, refused)
	}
}

func (m *machine) CheckRefused(t *rapid.T) {
	for range rapid.IntRange(1, 6).Draw(t, "times") {
		a := m.begin(t)
		a.Source = connection.SourceCheck
		m.fail(t, a, refused)
	}
}

func (m *machine) Failure(t *rapid.T) {
	m.fail(t, m.pick(t), connection.Fault{
		Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Message: "refused",
		Origin: rapid.SampledFrom([]errs.Origin{errs.Provider, errs.Provider, errs.Provider, errs.Ours}).Draw(t, "origin"),
		Scope: rapid.SampledFrom([]errs.Scope{errs.ScopeConnection, errs.ScopeConnection, errs.ScopeConnection,
			errs.ScopePath, errs.ScopeObject, errs.ScopeNone}).Draw(t, "scope"),
		Confirmed: rapid.Bool().Draw(t, "confirmed"), Isolated: rapid.Bool().Draw(t, "isolated"),
	})
}

func (m *machine) fail(t *rapid.T, a connection.Attempt, f connection.Fault) {
	speaks := f.Origin == errs.Provider && f.Scope == errs.ScopeConnection && (f.Kind == errs.Unauthenticated ||
		f.Kind == errs.PermissionDenied || f.Kind == errs.NotFound || f.Kind == errs.Invalid || f.Kind == errs.Unavailable && !f.Isolated)
	if a.Source == connection.SourceSync {
		speaks = speaks && m.c.Status == connection.Active && (f.Kind == errs.Unauthenticated || f.Confirmed)
	}
	want := speaks && m.watched() && !m.counted[a.ID] && a.Generation == m.generation && !a.Began.Before(m.lastGood)
	before := m.c.Status
	if got := connection.Failure(&m.c, a, f, m.now); got != want {
		t.Fatalf("%+v %+v of %s: counted %v, want %v", a, f, before, got, want)
	}
	if !want {
		if m.c.Status != before {
			t.Fatalf("a failure that does not count moved %s to %s", before, m.c.Status)
		}
		return
	}
	m.counted[a.ID] = true
	m.sinceGood++
	if m.sinceGood == 5 {
		m.suspensions++
	}
	reached[m.sinceGood]++
	if wantState := map[bool]connection.Status{true: connection.Suspended, false: connection.Failed}[m.sinceGood == 5]; m.c.Status != wantState {
		t.Fatalf("after counted failure %d the state is %s", m.sinceGood, m.c.Status)
	}
}

func (m *machine) good(a connection.Attempt) {
	m.sinceGood = 0
	if a.Began.After(m.lastGood) {
		m.lastGood = a.Began
	}
}

func (m *machine) Success(t *rapid.T) {
	a := m.pick(t)
	before, fresh := m.c.Status, a.Generation == m.generation
	connection.Success(&m.c, a, m.now)
	switch {
	case m.watched() != (before == connection.Active || before == connection.Failed), !fresh && m.c.Status != before:
		t.Fatalf("a success moved %s to %s", before, m.c.Status)
	case m.watched() && fresh:
		m.good(a)
		if m.c.Status != connection.Active {
			t.Fatalf("after a success the state is %s", m.c.Status)
		}
	}
}

func (m *machine) Suspend(t *rapid.T) {
	before := m.c.Status
	err := connection.ApplyStatus(&m.c, connection.StatusRequest{Want: connection.Suspended, By: user}, m.now)
	if (err != nil) != (before == connection.Archived) {
		t.Fatalf("suspend of %s: %v", before, err)
	}
	if before == connection.Active || before == connection.Failed {
		m.byUser = true
	}
}

func (m *machine) Resume(t *rapid.T) {
	before, a := m.c.Status, m.begin(t)
	err := connection.ApplyStatus(&m.c, connection.StatusRequest{Want: connection.Active, By: user, Passed: &a}, m.now)
	if ok := before == connection.Active || before == connection.Suspended; (err == nil) != ok {
		t.Fatalf("resume of %s: %v", before, err)
	}
	if before == connection.Suspended {
		m.byUser = false
		m.good(a)
		if m.c.Status != connection.Active {
			t.Fatalf("after a resume the state is %s", m.c.Status)
		}
	}
}

func (m *machine) Replace(t *rapid.T) {
	var tested *connection.Attempt
	before := m.c.Status
	if rapid.Bool().Draw(t, "tested") {
		tested = &connection.Attempt{ID: "replace", Began: m.now, Source: connection.SourceTest}
	}
	err := connection.ReplaceConfig(&m.c, sealed(fmt.Sprint("v", m.generation+1)), tested, user, m.now)
	if err == nil {
		m.generation++
	}
	switch {
	case (err != nil) != (before == connection.Archived):
		t.Fatalf("replace of %s: %v", before, err)
	case err == nil && tested != nil && !m.byUser:
		m.good(*tested)
		if m.c.Status != connection.Active {
			t.Fatalf("a tested replacement left %s as %s", before, m.c.Status)
		}
	case err == nil && m.c.Status != before:
		t.Fatalf("a replacement moved %s to %s", before, m.c.Status)
	}
}

func (m *machine) Archive(t *rapid.T) {
	if rapid.IntRange(0, 19).Draw(t, "rare") > 0 {
		t.Skip()
	}
	before := m.c.Status
	if err := connection.Archive(&m.c, false, user, m.now); (err != nil) != (before == connection.Archived) {
		t.Fatalf("archive of %s: %v", before, err)
	}
	m.everArchive, m.byUser = true, false
}

func (m *machine) Amend(t *rapid.T) {
	before := m.c.Status
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
	if err := connection.Amend(&m.c, connection.Edit{Name: &name}, user, m.now); (err != nil) != (before == connection.Archived) {
		t.Fatalf("amend of %s: %v", before, err)
	}
}

// Check holds after every step.
func (m *machine) Check(t *rapid.T) {
	c := &m.c
	suspensions := 0
	for _, e := range c.Outbox.Events {
		if e.Type == event.ConnectionSuspended && e.Data["suspended_by"] == connection.BySystem {
			suspensions++
		}
	}
	distinct := map[string]bool{}
	for _, e := range c.Evidence {
		distinct[e.Attempt] = true
	}
	idle := c.Status == connection.Suspended || c.Status == connection.Archived
	for what, broken := range map[string]bool{
		"is_active is not derived":                         c.IsActive() != (c.Status == connection.Active),
		"ARCHIVED was left":                                m.everArchive != (c.Status == connection.Archived),
		"archiving left credentials":                       c.Status == connection.Archived && (len(c.Config.Secrets) > 0 || !c.CredentialsDestroyed),
		"a user's suspension ended by itself":              m.byUser != (c.Status == connection.Suspended && c.SuspendedBy == connection.ByUser),
		"suspended by the system without five":             c.SuspendedBy == connection.BySystem && len(distinct) != connection.FailureLimit,
		"not exactly five suspend":                         suspensions != m.suspensions,
		"suspended_by without SUSPENDED":                   (c.SuspendedBy != "") != (c.Status == connection.Suspended),
		"the counter is not the evidence":                  c.Failures != len(c.Evidence) || len(distinct) != len(c.Evidence),
		"the counter is wrong":                             c.Status != connection.Archived && c.Failures != m.sinceGood,
		"ACTIVE with failures":                             c.Status == connection.Active && (c.Failures > 0 || c.LastError != nil),
		"FAILED without failures":                          c.Status == connection.Failed && (c.Failures < 1 || c.Failures > 4 || c.LastError == nil),
		"what is suspended or archived would be contacted": idle != (c.NextCheckAt == nil),
	} {
		if broken {
			t.Fatalf("%s: %+v", what, *c)
		}
	}
}

// reached counts how often each number of failures was met, lest the machine
// prove the rules by never coming near them.
var reached = map[int]int{}

func TestLifecycleMachine(t *testing.T) {
	enough := 50
	if testing.Short() {
		enough /= 5 // as rapid does with its machines
	}
	for range 10 { // each hundred machines
		rapid.Check(t, func(t *rapid.T) { m := newMachine(t); t.Repeat(rapid.StateMachineActions(m)) })
	}
	if !t.Failed() && reached[5] < enough {
		t.Errorf("the machine hardly gets to a suspension: %v", reached)
	}
}
