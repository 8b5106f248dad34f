package service_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mooring/internal/connection/service"
)

// TestTLSNotVerifiedIsSaidLoudly: in the answer of each test, in the connection
// as long as it is so, and in the log whenever it was saved or is checked.
func TestTLSNotVerifiedIsSaidLoudly(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	svc := r.rebuild(func(d *service.Deps) { d.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	said := func() (n int) {
		n = strings.Count(log.String(), "level=WARN")
		if strings.Contains(log.String(), canary) {
			t.Errorf("the log: %s", &log)
		}
		log.Reset()
		return n
	}
	raw := s3("endpoint_url", "https://10.0.0.1:9000")
	raw["verify_ssl"] = false
	c, err := svc.Create(t.Context(), org, actor, service.CreateRequest{Name: "n", Provider: "s3", ProviderConfig: raw, User: "usr_x"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.StandingAdvice(time.Now()); !strings.Contains(got, "verify_ssl") || !strings.Contains(log.String(), string(c.ID)) || said() != 1 {
		t.Errorf("created: %q", got)
	}
	result, err := svc.Test(t.Context(), org, actor, "n")
	if err != nil || !result.Success || !strings.Contains(result.Message, "TLS is not verified") || result.Details["warning"] == nil {
		t.Errorf("tested: %+v, %v", result, err)
	}
	if _, err := svc.Check(t.Context(), org, c.ID, ""); err != nil || said() != 1 {
		t.Errorf("checked: %v", err)
	}
	fixed := s3("endpoint_url", "https://10.0.0.1:9000")
	if c, err = svc.Update(t.Context(), org, actor, "n", service.UpdateRequest{ProviderConfig: fixed}); err != nil {
		t.Fatal(err)
	}
	result, err = svc.Test(t.Context(), org, actor, "n")
	if got := c.StandingAdvice(time.Now()); err != nil || got != "" || said() != 0 || result.Details["warning"] != nil {
		t.Errorf("mended: %q, %+v, %v", got, result, err)
	}
	raw = s3("endpoint_url", "https://10.0.0.1:9000")
	raw["verify_ssl"] = false
	if _, err = svc.Update(t.Context(), org, actor, "n", service.UpdateRequest{ProviderConfig: raw}); err != nil || said() != 1 {
		t.Errorf("changed back: %v", err)
	}
}
