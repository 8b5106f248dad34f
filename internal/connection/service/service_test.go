package service_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/secret"
)

func TestCreateTestsThenSeals(t *testing.T) {
	r := newRig(t)
	c := r.create("  media ")
	if c.Name != "media" || c.Status != connection.Active || c.CreatedBy != "usr_x" || c.CredentialsGeneration != 1 || c.LastCheckedAt == nil {
		t.Errorf("%+v", c)
	}
	if r.provider.checks != 1 || r.provider.last().Secrets["secret_access_key"].Reveal() != canary {
		t.Error("it was not tested with the credentials given")
	}
	if bytes.Contains(r.conns.docs[c.ID], []byte("canary")) {
		t.Error("the secret is stored in the clear")
	}
	if len(r.conns.audit) != 1 || r.conns.audit[0].Action != audit.ConnectionCreated || strings.Contains(fmt.Sprint(r.conns.audit), "canary") {
		t.Errorf("%+v", r.conns.audit)
	}
	opened, err := r.OpenConfig(t.Context(), org, c.ID)
	if err != nil || opened.Generation != 1 || opened.Config.Secrets["secret_access_key"].Reveal() != canary || opened.Config.Target() != "media" {
		t.Errorf("%v %+v", err, opened)
	}
	for _, key := range []string{string(c.ID), "media"} {
		if got, err := r.Get(t.Context(), org, key); err != nil || got.ID != c.ID {
			t.Errorf("get %s: %v", key, err)
		}
	}
	if _, err := r.Get(t.Context(), "int_other", string(c.ID)); !errs.Is(err, errs.NotFound) {
		t.Errorf("another organization's: %v", err)
	}
}

func TestCreateSavesNothingWhenTheTestFails(t *testing.T) {
	r := newRig(t)
	for _, kind := range []errs.Kind{errs.Unauthenticated, errs.PermissionDenied, errs.Throttled, errs.NotFound, errs.Unavailable} {
		r.provider.err = refusal(kind, "InvalidAccessKeyId")
		_, err := r.Create(t.Context(), org, actor, service.CreateRequest{Name: "x", Provider: "s3", ProviderConfig: s3()})
		e := errs.From(err)
		if e.Kind != errs.Invalid || e.Origin != errs.Ours || len(e.Fields) > 0 || len(r.conns.docs) > 0 {
			t.Fatalf("%v: %v", kind, err)
		}
		if !strings.Contains(e.Message(), "check credentials.access_key_id (InvalidAccessKeyId, request REQ1)") || strings.Contains(err.Error(), "canary") {
			t.Errorf("message: %s", err)
		}
		res, ok := service.ResultOf(err)
		if !ok || res.Success || res.Details["kind"] != kind.String() || res.Details["error_code"] != "InvalidAccessKeyId" ||
			res.Details["request_id"] != "REQ1" || res.Details["field"] != "credentials.access_key_id" {
			t.Errorf("%+v", res)
		}
	}
}

func TestFaultsOfOursAreNotTheProvidersVerdict(t *testing.T) {
	r := newRig(t)
	r.provider.err = errs.New(errs.Internal, "fake", "broken")
	if _, err := r.Create(t.Context(), org, actor, service.CreateRequest{Name: "x", Provider: "s3", ProviderConfig: s3()}); !errs.Is(err, errs.Internal) {
		t.Errorf("a fault of ours: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.provider.err, r.provider.check = nil, func(context.Context) error { cancel(); return refusal(errs.Unavailable, "") }
	if _, err := r.Create(ctx, org, actor, service.CreateRequest{Name: "x", Provider: "s3", ProviderConfig: s3()}); err == nil || errs.Is(err, errs.Invalid) {
		t.Errorf("the caller gave up: %v", err)
	}
}

func TestCreateRefusesBadFieldsBeforeAnyContact(t *testing.T) {
	r := newRig(t)
	for what, tt := range map[string]struct {
		req  service.CreateRequest
		locs string
	}{
		"all at once": {service.CreateRequest{Name: "conn_x", Provider: "s3", ProviderConfig: map[string]any{"credentials": map[string]any{"access_key_id": "x"}}},
			"[body name] [body provider_config region] [body provider_config credentials access_key_id] [body provider_config credentials secret_access_key]"},
		"a marker":             {service.CreateRequest{Name: "x", Provider: "s3", ProviderConfig: s3("secret_access_key", secret.Marker)}, "[body provider_config credentials secret_access_key]"},
		"unsupported provider": {service.CreateRequest{Name: "x", Provider: "box", ProviderConfig: s3()}, "[body provider_type]"},
		"no provider":          {service.CreateRequest{Name: "x"}, "[body provider_type]"},
		"no config":            {service.CreateRequest{Name: "x", Provider: "s3"}, "[body provider_config]"},
	} {
		_, err := r.Create(t.Context(), org, actor, tt.req)
		var locs []string
		for _, f := range errs.From(err).Fields {
			locs = append(locs, fmt.Sprint(f.Loc))
		}
		if got := strings.Join(locs, " "); got != tt.locs || len(r.provider.opened) > 0 {
			t.Errorf("%s: %s, %v", what, got, err)
		}
	}
}

func TestCreateUntested(t *testing.T) {
	r := newRig(t)
	r.provider.err = refusal(errs.Unauthenticated, "")
	c, err := r.Create(t.Context(), org, actor, service.CreateRequest{Name: "x", Provider: "s3", ProviderConfig: s3(), TestBeforeSave: new(false)})
	if err != nil || r.provider.checks != 0 || len(r.provider.opened) != 1 || c.LastCheckedAt != nil || !c.NextCheckAt.Equal(c.CreatedAt) {
		t.Errorf("%v, %d checks, %+v", err, r.provider.checks, c)
	}
}

func TestTakenNames(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	_, err := r.Create(t.Context(), org, actor, service.CreateRequest{Name: "media", Provider: "s3", ProviderConfig: s3()})
	if !errs.Is(err, errs.AlreadyExists) || r.provider.checks != 1 {
		t.Errorf("%v after %d checks", err, r.provider.checks)
	}
	if _, err := r.Archive(t.Context(), org, actor, "media"); err != nil {
		t.Fatal(err)
	}
	if again := r.create("media"); again.ID == c.ID {
		t.Error("archiving does not free the name")
	}
}

func TestArchivedIsFinal(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	if got, err := r.Archive(t.Context(), org, actor, string(c.ID)); err != nil || got.Status != connection.Archived || len(got.Config.Secrets) > 0 {
		t.Fatalf("%v %+v", err, got)
	}
	opened := len(r.provider.opened)
	_, openErr := r.OpenConfig(t.Context(), org, c.ID)
	_, archiveErr := r.Archive(t.Context(), org, actor, string(c.ID))
	_, testErr := r.Test(t.Context(), org, actor, string(c.ID))
	_, browseErr := r.Browse(t.Context(), org, string(c.ID), "/", "", 10)
	_, updateErr := r.Update(t.Context(), org, actor, string(c.ID), service.UpdateRequest{Name: new("y")})
	_, resumeErr := r.Update(t.Context(), org, actor, string(c.ID), service.UpdateRequest{Status: new("ACTIVE")})
	_, invalidErr := r.Update(t.Context(), org, actor, string(c.ID), service.UpdateRequest{Name: new(".")})
	for i, err := range []error{openErr, archiveErr, testErr, browseErr, updateErr, resumeErr, invalidErr} {
		if !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "ARCHIVED") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if counted, err := r.RecordFailure(t.Context(), org, c.ID, connection.Attempt{Generation: 1, Source: connection.SourceSync}, refusal(errs.Unauthenticated, "")); counted || err != nil {
		t.Errorf("a late failure: %v %v", counted, err)
	}
	if len(r.provider.opened) != opened {
		t.Error("an archived connection was contacted")
	}
	if got := config.Redact(r.get(c).Config)["credentials"].(map[string]any)["secret_access_key"]; got != secret.Marker {
		t.Errorf("it shows %v", got)
	}
}

func TestTestCountsLikeACheck(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	r.provider.err = refusal(errs.Unauthenticated, "SignatureDoesNotMatch")
	for n := 1; n <= 5; n++ {
		res, err := r.Test(t.Context(), org, actor, "media")
		if err != nil || res.Success || !strings.Contains(res.Message, "check credentials.secret_access_key") {
			t.Fatalf("%v %+v", err, res)
		}
		if got := r.get(c); got.Failures != n || (got.Status == connection.Suspended) != (n == 5) {
			t.Fatalf("after %d: %s %d", n, got.Status, got.Failures)
		}
	}
	got := r.get(c)
	if got.SuspendedBy != connection.BySystem || len(got.Evidence) != 5 || strings.Contains(fmt.Sprintf("%+v %s", got, *got.LastError), "canary") {
		t.Errorf("%+v", got)
	}
	// A suspended one is contacted and stays as it is.
	r.provider.err = nil
	if res, err := r.Test(t.Context(), org, actor, "media"); err != nil || !res.Success || res.Message != "read media" || res.Details["region"] != "eu-west-1" {
		t.Errorf("%v %+v", err, res)
	}
	if after := r.get(c); after.Status != connection.Suspended || after.Failures != 5 || !after.UpdatedAt.Equal(got.UpdatedAt) {
		t.Errorf("%+v", after)
	}
	tested := 0
	for _, e := range r.conns.audit {
		if e.Action == audit.ConnectionTested {
			tested++
		}
	}
	if tested != 6 {
		t.Errorf("%d tests in the trail", tested)
	}
}

func TestATestThatHangsIsUnreachable(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	r.Service = r.rebuild(func(d *service.Deps) { d.TestTimeout = 20 * time.Millisecond })
	r.provider.check = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	res, err := r.Test(t.Context(), org, actor, "media")
	if got := r.get(c); err != nil || res.Details["kind"] != "unavailable" || got.Failures != 1 {
		t.Errorf("%v %+v %d", err, res, got.Failures)
	}
}

func TestBrowse(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	list, err := r.Browse(t.Context(), org, "media", "/a", "", 10)
	if err != nil || list.Items[0].ID != "/a" || r.conns.touched[c.ID] != 1 {
		t.Errorf("%v %+v, touched %v", err, list, r.conns.touched)
	}
	r.provider.err = refusal(errs.PermissionDenied, "AccessDenied")
	_, err = r.Browse(t.Context(), org, "media", "/a", "", 10)
	if e := errs.From(err); e.Origin != errs.Provider || e.Kind != errs.PermissionDenied || !strings.Contains(e.Message(), "s3:ListBucket") || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
	if r.get(c).Status != connection.Active {
		t.Error("browsing changed the state")
	}
	if _, err := r.Browse(t.Context(), org, "media", "/", "", 0); !errs.Is(err, errs.Invalid) {
		t.Errorf("limit 0: %v", err)
	}
	if _, err := r.Update(t.Context(), org, actor, "media", service.UpdateRequest{IsActive: new(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Browse(t.Context(), org, "media", "/", "", 1); !errs.Is(err, errs.Conflict) {
		t.Errorf("suspended: %v", err)
	}
}

// TestSyncFailures: a refused credential counts at once, anything else only if
// a check made at once fails too.
func TestSyncFailures(t *testing.T) {
	attempt := func(n int) connection.Attempt {
		return connection.Attempt{ID: fmt.Sprint("run", n), Began: time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC), Generation: 1, Source: connection.SourceSync}
	}
	for what, tt := range map[string]struct {
		cause    error
		check    error // what the provider answers a check now
		isolated bool
		counted  bool
		checks   int
	}{
		"refused":                   {cause: refusal(errs.Unauthenticated, "X"), counted: true},
		"unreachable, still":        {cause: refusal(errs.Unavailable, ""), check: refusal(errs.Unavailable, ""), counted: true, checks: 1},
		"unreachable, now refused":  {cause: refusal(errs.Unavailable, ""), check: refusal(errs.Unauthenticated, ""), counted: true, checks: 1},
		"unreachable, fine again":   {cause: refusal(errs.Unavailable, ""), checks: 1},
		"unreachable, all of it is": {cause: refusal(errs.Unavailable, ""), check: refusal(errs.Unavailable, ""), isolated: true, checks: 1},
		"unreachable, now throttled": {cause: refusal(errs.Unavailable, ""), check: &errs.Error{Kind: errs.Throttled, Origin: errs.Provider, Scope: errs.ScopeConnection},
			checks: 1},
		"one path":  {cause: &errs.Error{Kind: errs.NotFound, Origin: errs.Provider, Scope: errs.ScopePath}},
		"throttled": {cause: &errs.Error{Kind: errs.Throttled, Origin: errs.Provider, Scope: errs.ScopeConnection}},
		"ours":      {cause: errs.New(errs.Internal, "x", "")},
		"shutdown":  {cause: context.Canceled},
		// What was under way at the provider when a run was stopped: nobody is asked.
		"shutdown amid a request": {cause: &errs.Error{Kind: errs.Canceled, Origin: errs.Provider, Scope: errs.ScopeConnection}, check: refusal(errs.Unavailable, "")},
	} {
		r := newRig(t)
		c := r.create("media")
		r.provider.err, r.provider.checks, r.isolated = tt.check, 0, tt.isolated
		counted, err := r.RecordFailure(t.Context(), org, c.ID, attempt(1), tt.cause)
		if err != nil || counted != tt.counted || r.provider.checks != tt.checks || (r.get(c).Status == connection.Failed) != tt.counted {
			t.Errorf("%s: counted %v after %d checks, %v", what, counted, r.provider.checks, err)
		}
		if tt.checks > 0 && tt.check == nil && !r.get(c).LastCheckedAt.After(*c.LastCheckedAt) {
			t.Errorf("%s: the check that passed was not noted", what)
		}
		if again, _ := r.RecordFailure(t.Context(), org, c.ID, attempt(1), tt.cause); again {
			t.Errorf("%s: counted twice", what)
		}
	}
}

func TestAnIsolatedCheckDoesNotCount(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	check := connection.Attempt{ID: "c", Began: time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC), Generation: 1, Source: connection.SourceCheck}
	for _, r.isolated = range []bool{true, false} {
		counted, err := r.RecordFailure(t.Context(), org, c.ID, check, refusal(errs.Unavailable, ""))
		if err != nil || counted == r.isolated {
			t.Errorf("isolated %v: counted %v, %v", r.isolated, counted, err)
		}
	}
}

func TestRecordSuccessRecovers(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	r.provider.err = refusal(errs.Unauthenticated, "")
	if res, err := r.Check(t.Context(), org, c.ID, ""); err != nil || res.Success {
		t.Fatal(err, res)
	}
	if err := r.RecordSuccess(t.Context(), org, c.ID, connection.Attempt{ID: "r", Began: time.Now(), Generation: 1, Source: connection.SourceSync}); err != nil {
		t.Fatal(err)
	}
	if got := r.get(c); got.Status != connection.Active || got.LastError != nil || r.conns.touched[c.ID] != 1 {
		t.Errorf("%+v", got)
	}
	if last := r.conns.events[len(r.conns.events)-1]; last.Type != event.ConnectionRecovered {
		t.Errorf("%+v", last)
	}
}

// TestExactlyFiveUnderManyWorkers: however many check at once, the fifth counted
// failure suspends, and the same check made by several counts once.
func TestExactlyFiveUnderManyWorkers(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	r.provider.err = refusal(errs.Unauthenticated, "")
	all := func(name func(i int) string) {
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() { _, _ = r.Check(context.Background(), org, c.ID, name(i)) })
		}
		wg.Wait()
	}
	all(func(int) string { return "the same" })
	if got := r.get(c); got.Failures != 1 {
		t.Fatalf("the same check counted %d times", got.Failures)
	}
	all(func(i int) string { return fmt.Sprint("check ", i) })
	suspensions := 0
	for _, e := range r.conns.events {
		if e.Type == event.ConnectionSuspended {
			suspensions++
		}
	}
	if got := r.get(c); got.Status != connection.Suspended || len(got.Evidence) != 5 || suspensions != 1 {
		t.Errorf("%s, %d rows of evidence, %d suspensions", got.Status, len(got.Evidence), suspensions)
	}
}

func TestExternalIDs(t *testing.T) {
	role := func(external string) service.CreateRequest {
		return service.CreateRequest{Name: "x" + external, Provider: "s3", ProviderConfig: map[string]any{"region": "eu-west-1",
			"credentials": map[string]any{"role_arn": "arn:aws:iam::123456789012:role/reader", "external_id": external}}}
	}
	r := newRig(t)
	if _, err := r.Create(t.Context(), org, actor, role("any-of-ours")); err != nil {
		t.Errorf("the only organization: %v", err)
	}
	r.shared = true
	_, err := r.Create(t.Context(), org, actor, role("any-of-ours-2"))
	if f := errs.From(err).Fields; len(f) != 1 || !strings.Contains(f[0].Msg, service.ExternalIDFor(org)) {
		t.Errorf("one of several: %v %+v", err, f)
	}
	if _, err := r.Create(t.Context(), org, actor, role(service.ExternalIDFor("int_other"))); !errs.Is(err, errs.Invalid) {
		t.Errorf("another's: %v", err)
	}
	c, err := r.Create(t.Context(), org, actor, role(service.ExternalIDFor(org)))
	if err != nil {
		t.Errorf("its own: %v", err)
	}
	if _, err := r.update(c, service.UpdateRequest{ProviderConfig: role("any-of-ours-3").ProviderConfig}); len(errs.From(err).Fields) != 1 {
		t.Errorf("changed to any: %v", err)
	}
}

func TestShredded(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	if _, err := r.sealer.DestroyOrg(t.Context(), org, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.OpenConfig(t.Context(), org, c.ID); !errs.Is(err, errs.Corrupt) {
		t.Errorf("%v", err)
	}
}

// TestAMovedSecretDoesNotOpen: what is sealed for one connection and one use
// opens for no other.
func TestAMovedSecretDoesNotOpen(t *testing.T) {
	r := newRig(t)
	a, b := r.create("a"), r.create("b")
	steal := func(conn id.Connection, change func(*connection.Connection)) error {
		_, err := r.conns.Update(t.Context(), org, conn, func(c *connection.Connection) error { change(c); return nil })
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.OpenConfig(t.Context(), org, conn)
		return err
	}
	if err := steal(b.ID, func(c *connection.Connection) { c.Config.Secrets = a.Config.Secrets }); !errs.Is(err, errs.Corrupt) {
		t.Errorf("moved to another connection: %v", err)
	}
	if err := steal(a.ID, func(c *connection.Connection) { c.Config.Fields["endpoint_url"] = "https://evil.example" }); !errs.Is(err, errs.Corrupt) {
		t.Errorf("used elsewhere: %v", err)
	}
}

// TestACheckThatCannotBeMadeIsPutOff: it would be due again at once, for ever,
// and keep others from their turn.
func TestACheckThatCannotBeMadeIsPutOff(t *testing.T) {
	for what, spoil := range map[string]func(*rig) error{
		"the credentials can't be opened": func(r *rig) error { _, err := r.sealer.DestroyOrg(t.Context(), org, nil); return err },
		"a fault of ours":                 func(r *rig) error { r.provider.err = errs.New(errs.Internal, "fake", "broken"); return nil },
	} {
		r := newRig(t)
		c := r.create("media")
		if err := spoil(r); err != nil {
			t.Fatal(err)
		}
		r.deps.Now = func() time.Time { return *c.NextCheckAt }
		s := r.rebuild(func(*service.Deps) {})
		if _, err := s.Check(t.Context(), org, c.ID, ""); err == nil {
			t.Errorf("%s: no error", what)
		}
		if got := r.get(c); !got.NextCheckAt.After(*c.NextCheckAt) || got.Status != connection.Active || len(got.Evidence) > 0 {
			t.Errorf("%s: %s, next check %s", what, got.Status, got.NextCheckAt)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		before := r.get(c)
		_, _ = s.Check(ended, org, c.ID, "")
		if got := r.get(c); !got.NextCheckAt.Equal(*before.NextCheckAt) {
			t.Errorf("%s: a stop put it off", what)
		}
	}
}
