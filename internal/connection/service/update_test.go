package service_test

import (
	"context"
	"strings"
	"testing"

	"mooring/internal/connection"
	"mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

func (r *rig) update(c connection.Connection, u service.UpdateRequest) (connection.Connection, error) {
	return r.Update(r.t.Context(), org, actor, string(c.ID), u)
}

func (r *rig) secretOf(c connection.Connection) string {
	r.t.Helper()
	opened, err := r.OpenConfig(r.t.Context(), org, c.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return opened.Config.Secrets["secret_access_key"].Reveal()
}

func TestUpdateReplacesWhatDiffers(t *testing.T) {
	const other = "another-secret-access-key-of-forty-1-chars"
	for what, tt := range map[string]struct {
		config   map[string]any
		replaced bool
		secret   string
	}{
		"read and sent back":         {s3("secret_access_key", secret.Marker), false, canary},
		"the same with its secret":   {s3(), false, canary},
		"another region":             {s3("region", "eu-west-2", "secret_access_key", secret.Marker), true, canary},
		"another secret":             {s3("secret_access_key", other), true, other},
		"another server, its secret": {s3("endpoint_url", "https://s3.example.com"), true, canary},
		"one secret more":            {s3("session_token", "token", "secret_access_key", secret.Marker), true, canary},
	} {
		r := newRig(t)
		c := r.create("media")
		got, err := r.update(c, service.UpdateRequest{ProviderConfig: tt.config})
		if err != nil {
			t.Errorf("%s: %v %+v", what, err, errs.From(err).Fields)
			continue
		}
		if replaced := got.CredentialsGeneration == 2; replaced != tt.replaced || (r.provider.checks == 2) != tt.replaced {
			t.Errorf("%s: generation %d, %d tests", what, got.CredentialsGeneration, r.provider.checks)
		}
		if last := r.provider.last().Secrets["secret_access_key"].Reveal(); tt.replaced && last != tt.secret {
			t.Errorf("%s: tested with another secret", what)
		}
		if s := r.secretOf(c); s != tt.secret {
			t.Errorf("%s: another secret is stored", what)
		}
		if !tt.replaced && len(r.conns.audit) != 1 {
			t.Errorf("%s: left a trace: %+v", what, r.conns.audit[1:])
		}
	}
}

func TestAKeptSecretCanNotBeSentElsewhere(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	_, err := r.update(c, service.UpdateRequest{ProviderConfig: s3("endpoint_url", "https://evil.example", "secret_access_key", secret.Marker), TestBeforeSave: new(false)})
	if f := errs.From(err).Fields; len(f) != 1 || !strings.Contains(f[0].Msg, "endpoint_url") {
		t.Errorf("%v %+v", err, f)
	}
	if r.provider.checks != 1 || len(r.provider.opened) != 1 {
		t.Error("it was contacted")
	}
}

func TestUpdateSavesNothingWhenTheTestFails(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	r.provider.err = refusal(errs.Unauthenticated, "InvalidAccessKeyId")
	_, err := r.update(c, service.UpdateRequest{Name: new("y"), ProviderConfig: s3("region", "eu-west-2")})
	if _, ok := service.ResultOf(err); !ok || !errs.Is(err, errs.Invalid) || len(errs.From(err).Fields) > 0 {
		t.Errorf("%v", err)
	}
	if got := r.get(c); got.Name != "media" || got.Revision != c.Revision || got.Failures != 0 {
		t.Errorf("%+v", got)
	}
	got, err := r.update(c, service.UpdateRequest{ProviderConfig: s3("region", "eu-west-2"), TestBeforeSave: new(false)})
	if err != nil || got.CredentialsGeneration != 2 || !got.NextCheckAt.Equal(got.UpdatedAt) {
		t.Errorf("untested: %v %+v", err, got)
	}
}

func TestReplacementEndsFailureAndSuspensionBySystem(t *testing.T) {
	for failures := 1; failures <= 5; failures += 4 {
		r := newRig(t)
		c := r.create("media")
		r.provider.err = refusal(errs.Unauthenticated, "")
		for range failures {
			_, _ = r.Test(t.Context(), org, actor, "media")
		}
		r.provider.err = nil
		if got, err := r.update(c, service.UpdateRequest{ProviderConfig: s3()}); err != nil || got.Status == connection.Active {
			t.Errorf("%d: the same config is no replacement: %v %s", failures, err, got.Status)
		}
		got, err := r.update(c, service.UpdateRequest{ProviderConfig: s3("region", "eu-west-2"), Status: new("ACTIVE")})
		if err != nil || got.Status != connection.Active || got.Failures != 0 || got.SuspendedBy != "" {
			t.Errorf("%d: %v %+v", failures, err, got)
		}
	}
}

func TestSuspendAndResume(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	got, err := r.update(c, service.UpdateRequest{Status: new("paused"), Reason: "moving house"})
	if err != nil || got.Status != connection.Suspended || got.SuspendedBy != connection.ByUser || got.StatusReason != "moving house" || got.NextCheckAt != nil {
		t.Fatalf("%v %+v", err, got)
	}
	if _, err := r.Check(t.Context(), org, c.ID, ""); !errs.Is(err, errs.Conflict) {
		t.Errorf("a suspended one was checked: %v", err)
	}
	got, err = r.update(c, service.UpdateRequest{ProviderConfig: s3("region", "eu-west-2")})
	if err != nil || got.Status != connection.Suspended || got.CredentialsGeneration != 2 {
		t.Errorf("a replacement ended a user's suspension: %v %s", err, got.Status)
	}
	r.provider.err = refusal(errs.PermissionDenied, "AccessDenied")
	_, err = r.update(c, service.UpdateRequest{Status: new("active")})
	if res, ok := service.ResultOf(err); !ok || res.Success || !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "s3:ListBucket") {
		t.Errorf("a resume whose test fails: %v", err)
	}
	if got := r.get(c); got.Status != connection.Suspended || got.Failures != 0 {
		t.Errorf("%+v", got)
	}
	r.provider.err = nil
	before := r.provider.checks
	got, err = r.update(c, service.UpdateRequest{IsActive: new(true)})
	if err != nil || got.Status != connection.Active || r.provider.checks != before+1 {
		t.Errorf("%v %+v", err, got)
	}
	got, err = r.update(c, service.UpdateRequest{Status: new("ACTIVE")})
	if err != nil || r.provider.checks != before+1 || got.Status != connection.Active {
		t.Errorf("ACTIVE of an active one: %v", err)
	}
}

func TestIllegalRequests(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	if _, err := r.update(c, service.UpdateRequest{Status: new("failed")}); len(errs.From(err).Fields) != 1 {
		t.Errorf("FAILED by a client: %v", err)
	}
	if _, err := r.update(c, service.UpdateRequest{Status: new("ARCHIVED"), ProviderConfig: s3("region", "x")}); !errs.Is(err, errs.Invalid) {
		t.Errorf("archived with a new config: %v", err)
	}
	r.provider.err = refusal(errs.Unauthenticated, "")
	_, _ = r.Test(t.Context(), org, actor, "media")
	if _, err := r.update(c, service.UpdateRequest{Status: new("ACTIVE")}); !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "FAILED") {
		t.Errorf("ACTIVE of a failed one: %v", err)
	}
	if got, err := r.update(c, service.UpdateRequest{Status: new("archived")}); err != nil || got.Status != connection.Archived || !got.CredentialsDestroyed {
		t.Errorf("archived by status: %v", err)
	}
}

func TestUpdateOfPlainFields(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	got, err := r.update(c, service.UpdateRequest{Name: new(" films "), Description: new("d"), Metadata: map[string]any{"a": map[string]any{"b": 1.0}}})
	if err != nil || got.Name != "films" || *got.Description != "d" || got.Metadata["a"] == nil || r.provider.checks != 1 {
		t.Errorf("%v %+v", err, got)
	}
	trail := len(r.conns.audit)
	got, err = r.update(c, service.UpdateRequest{Name: new("films"), Description: new("d"), Metadata: map[string]any{"a": map[string]any{"b": 1.0}}})
	if err != nil || len(r.conns.audit) != trail {
		t.Errorf("no change left a trace: %v %+v", err, r.conns.audit[trail:])
	}
	got, err = r.update(got, service.UpdateRequest{Description: new(""), Metadata: map[string]any{}})
	if err != nil || got.Description != nil || len(got.Metadata) != 0 {
		t.Errorf("clearing: %v %+v", err, got)
	}
}

// TestReplacedMeanwhile: a replacement that was proven against what is no
// longer there is not saved.
func TestReplacedMeanwhile(t *testing.T) {
	for what, u := range map[string]service.UpdateRequest{
		"a replacement": {ProviderConfig: s3("region", "eu-west-2", "secret_access_key", secret.Marker)},
		"a resume":      {Status: new("ACTIVE")},
	} {
		r := newRig(t)
		c := r.create("media")
		if u.Status != nil {
			if _, err := r.update(c, service.UpdateRequest{Status: new("SUSPENDED")}); err != nil {
				t.Fatal(err)
			}
		}
		r.provider.check = func(context.Context) error {
			r.provider.check = nil
			_, err := r.update(c, service.UpdateRequest{ProviderConfig: s3("region", "eu-west-3")})
			return err
		}
		if _, err := r.update(c, u); !errs.Is(err, errs.Conflict) {
			t.Errorf("%s: %v", what, err)
		}
		if got := r.get(c); got.Config.Fields["region"] != "eu-west-3" || r.secretIfOpen(got) != canary {
			t.Errorf("%s: %v", what, got.Config.Fields)
		}
	}
}

func (r *rig) secretIfOpen(c connection.Connection) string {
	if c.Status == connection.Suspended {
		return canary
	}
	return r.secretOf(c)
}

// TestLostSecretsAreRepairedByGivingThemAnew: a stored secret that can't be
// opened must not stand in the way of its own replacement.
func TestLostSecretsAreRepairedByGivingThemAnew(t *testing.T) {
	r := newRig(t)
	c := r.create("media")
	_, err := r.conns.Update(t.Context(), org, c.ID, func(c *connection.Connection) error {
		v := c.Config.Secrets["secret_access_key"]
		v.Data[len(v.Data)-1] ^= 1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Test(t.Context(), org, actor, "media"); !errs.Is(err, errs.Corrupt) || !strings.Contains(err.Error(), "give the credentials anew") {
		t.Errorf("a damaged secret: %v", err)
	}
	if _, err := r.update(c, service.UpdateRequest{ProviderConfig: s3()}); err != nil || r.secretOf(c) != canary {
		t.Errorf("%v", err)
	}
}
