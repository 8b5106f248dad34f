package tokens_test

import (
	"context"
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/tokens"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

func TestReplacedConfigurationDropsWhatWasKept(t *testing.T) {
	w := newWorld(t)
	k, other := w.process(), w.process()
	old := k.Of(&w.conn, w.config)
	w.want(k, "", "access-1")
	w.want(other, "", "access-1")
	w.replace("another refresh token")
	w.endpoint.valid = "refresh-0" // the new one
	w.want(k, "", "access-2")
	for name, stale := range map[string]func() error{
		"here":      func() error { _, err := old.Access(t.Context(), secret.String{}, w.endpoint.ask); return err },
		"elsewhere": func() error { return askAnew(w, w.process(), 1) },
	} {
		if err := stale(); !errs.Is(err, errs.Conflict) || errs.From(err).Origin != errs.Ours {
			t.Errorf("a source of the old configuration %s got %v, want a conflict of ours", name, err)
		}
	}
	w.want(other, "", "access-2")
	if w.endpoint.denied > 0 {
		t.Error("a refresh token of the old configuration was used")
	}
}

// askAnew asks for a token as a source that was opened at a generation.
func askAnew(w *world, k *tokens.Keeper, generation int64) error {
	conn := w.conn
	conn.CredentialsGeneration = generation
	_, err := k.Of(&conn, w.config).Access(w.t.Context(), secret.String{}, w.endpoint.ask)
	return err
}

// TestOldSourceBeforeTheNewIsUsed: the record does not know yet of the new generation.
func TestOldSourceBeforeTheNewIsUsed(t *testing.T) {
	w := newWorld(t)
	w.want(w.process(), "", "access-1")
	w.replace("another refresh token")
	w.pass(time.Hour)
	if err := askAnew(w, w.process(), 1); !errs.Is(err, errs.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if w.endpoint.asked != 1 {
		t.Errorf("%d requests, want 1", w.endpoint.asked)
	}
}

// TestKeptRefreshTokenSurvivesReplacement: the marker kept the refresh token,
// which the provider has replaced since: the latest is what goes on.
func TestKeptRefreshTokenSurvivesReplacement(t *testing.T) {
	w := newWorld(t)
	k := w.process()
	w.want(k, "", "access-1")
	if got, err := k.Renewed(&w.conn, w.config).Access(t.Context(), secret.String{}, w.endpoint.ask); err != nil || got.Reveal() != "access-2" {
		t.Fatalf("a test of the new configuration got %q, %v; want an exchange of its own", got.Reveal(), err)
	}
	w.replace("first")
	w.want(k, "", "access-3")
	w.want(w.process(), "", "access-3")
	if w.endpoint.denied > 0 {
		t.Error("the rotated refresh token was lost")
	}
}

func TestRenewedAsksOnce(t *testing.T) {
	w := newWorld(t)
	k := w.process()
	w.want(k, "", "access-1")
	renewed := k.Renewed(&w.conn, w.config)
	for range 3 {
		if got, err := renewed.Access(t.Context(), secret.String{}, w.endpoint.ask); err != nil || got.Reveal() != "access-2" {
			t.Fatalf("got %q, %v; want access-2", got.Reveal(), err)
		}
	}
}

func TestArchived(t *testing.T) {
	w := newWorld(t)
	k, other := w.process(), w.process()
	w.want(k, "", "access-1")
	var err error
	w.conn, err = w.store.Connections().Update(t.Context(), w.org, w.conn.ID, func(c *connection.Connection) error {
		return connection.Archive(c, true, audit.System(), w.clock())
	})
	must(t, err)
	must(t, k.Destroy(t.Context(), w.org, w.conn.ID))
	for _, k := range []*tokens.Keeper{k, other} {
		if err := askAnew(w, k, 1); !errs.Is(err, errs.Conflict) {
			t.Errorf("tokens of an archived connection: %v, want a conflict", err)
		}
	}
	if _, err := w.store.Tokens().Get(t.Context(), w.org, w.conn.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("the record came back: %v", err)
	}
	if w.endpoint.asked != 1 {
		t.Errorf("%d requests, want 1", w.endpoint.asked)
	}
}

// TestArchivedMeanwhile: what is granted after the end is kept nowhere.
func TestArchivedMeanwhile(t *testing.T) {
	w := newWorld(t)
	k := w.process()
	w.endpoint.hook = func() { must(t, k.Destroy(t.Context(), w.org, w.conn.ID)) }
	if err := askAnew(w, k, 1); !errs.Is(err, errs.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if _, err := w.store.Tokens().Get(t.Context(), w.org, w.conn.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("the record came back: %v", err)
	}
}

func TestRefusalIsTheProviders(t *testing.T) {
	w := newWorld(t)
	k := w.process()
	w.endpoint.valid = "revoked"
	for try := 1; try <= 2; try++ { // no start is left behind, and it may be asked again
		_, err := w.access(k, "")
		if e := errs.From(err); e.Code != "invalid_grant" || e.Kind != errs.Unauthenticated || w.endpoint.asked != try {
			t.Fatalf("try %d: %v after %d requests", try, err, w.endpoint.asked)
		}
	}
	w.endpoint.valid = "refresh-0"
	w.want(k, "", "access-1")
}

// TestSilenceIsNotForgotten: a refusal after an answer that never came is one
// that only another consent helps against.
func TestSilenceIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	k := w.process()
	silent := &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection}
	w.endpoint.fail = silent
	if _, err := w.access(k, ""); !errs.Is(err, errs.Unavailable) {
		t.Fatalf("got %v", err)
	}
	w.endpoint.fail = nil
	w.want(k, "", "access-1") // it had not been spent
	w.pass(time.Hour)
	w.endpoint.fail = silent
	_, _ = w.access(k, "")
	w.endpoint.fail, w.endpoint.valid = nil, "what the lost answer held"
	if _, err := w.access(k, ""); errs.From(err).Code != tokens.CodeReauthorize {
		t.Errorf("got %v, want reauth_required", err)
	}
}

// TestOtherRefusalsAreNoLoss: a wrong client secret says nothing about the
// refresh token, not even after a death.
func TestOtherRefusalsAreNoLoss(t *testing.T) {
	w := newWorld(t)
	k := w.process()
	w.endpoint.fail = &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider}
	_, _ = w.access(k, "")
	w.endpoint.fail = &errs.Error{Kind: errs.Unauthenticated, Origin: errs.Provider, Scope: errs.ScopeConnection, Code: "invalid_client"}
	if _, err := w.access(k, ""); errs.From(err).Code != "invalid_client" {
		t.Errorf("got %v", err)
	}
	w.endpoint.fail = nil
	w.want(k, "", "access-1")
}

// TestReplacedMeanwhile: what an old refresh token was exchanged for does not
// get into the record of the new one.
func TestReplacedMeanwhile(t *testing.T) {
	w := newWorld(t)
	old, k := w.process(), w.process(w.patient)
	stale, generation := w.conn, w.conn.CredentialsGeneration
	w.endpoint.hook = func() {
		w.endpoint.hook, w.endpoint.valid = nil, "refresh-0" // the new one
		w.replace("another refresh token")
		w.want(k, "", "access-2")
	}
	stale.CredentialsGeneration = generation
	_, err := old.Of(&stale, w.config).Access(t.Context(), secret.String{}, w.endpoint.ask)
	if !errs.Is(err, errs.Conflict) {
		t.Errorf("the old source got %v, want a conflict", err)
	}
	w.pass(time.Hour)
	w.want(w.process(), "", "access-3")
	if w.endpoint.denied > 0 {
		t.Error("the new refresh token was lost")
	}
}

// TestOwnerSavesBeforeTheHeirIsRefused: the refusal of a refresh token that was
// replaced and saved meanwhile loses nothing.
func TestOwnerSavesBeforeTheHeirIsRefused(t *testing.T) {
	w := newWorld(t)
	owner, heir := w.process(), w.process(w.patient)
	asked, saved, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var got secret.String
	var failed error
	w.endpoint.hook = func() { // while the owner's answer is on its way
		w.endpoint.hook = nil
		go func() {
			defer close(done)
			got, failed = heir.Of(&w.conn, w.config).Access(t.Context(), secret.String{}, func(ctx context.Context, refresh secret.String) (driver.Grant, error) {
				close(asked)
				<-saved
				return w.endpoint.ask(ctx, refresh)
			})
		}()
		<-asked
	}
	w.want(owner, "", "access-1")
	close(saved)
	<-done
	if failed != nil || got.Reveal() != "access-1" {
		t.Errorf("the heir got %q, %v; want what the owner has saved", got.Reveal(), failed)
	}
	if rec := w.record(); rec.Reauthorize || rec.Uncertain || rec.Started != nil {
		t.Errorf("the record is %+v", rec)
	}
	w.pass(time.Hour)
	w.want(heir, "", "access-2")
}
