package tokens_test

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/emulator/msgraph"
	"mooring/internal/connection/config"
	"mooring/internal/connection/tokens"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/all"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// TestAdapterBeforeSingleUseTokens: fifty sources of SharePoint in each of three
// processes, before a directory that refuses a refresh token that was used.
func TestAdapterBeforeSingleUseTokens(t *testing.T) {
	const directory, client, user = "5a5a5a5a-0000-4000-8000-000000000001", "app", "ann@example.org"
	w := newWorld(t)
	s := msgraph.Start(t, msgraph.Options{RotateRefreshTokens: true, RefuseReused: true, AccessTokenLife: time.Hour, Now: w.clock})
	s.Tenant(directory)
	s.App(directory, client, "secret")
	s.User(directory, user)
	c := config.Config{
		Provider: "sharepoint", Fields: map[string]any{}, Credential: "delegated", Credentials: map[string]any{"tenant_id": directory, "client_id": client},
		Secrets: map[string]secret.String{"client_secret": secret.New("secret"), "refresh_token": secret.New(s.Consent(directory, client, user))},
	}
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(guard.Close)
	endpoints := map[string]string{"api": s.API(), "token": s.LoginURL()}
	processes := []*tokens.Keeper{w.process(), w.process(), w.process()}
	for expiry := 1; expiry <= 3; expiry++ {
		var wg sync.WaitGroup
		var failed atomic.Int64
		for _, k := range processes {
			for range 50 {
				wg.Go(func() {
					src, err := provider.Open(t.Context(), "sharepoint", c, provider.Deps{Registry: all.Adapters(),
						Options: driver.Options{Transport: guard, Endpoints: endpoints, Tokens: k.Of(&w.conn, c), Now: w.clock}})
					if err == nil {
						_, err = src.Check(t.Context(), "")
						_ = src.Close()
					}
					if err != nil {
						failed.Add(1)
						t.Log(err)
					}
				})
			}
		}
		wg.Wait()
		if n := s.Count(msgraph.Token); failed.Load() > 0 || n != expiry {
			t.Fatalf("expiry %d: %d checks failed, %d refreshes; want 0 and %d", expiry, failed.Load(), n, expiry)
		}
		w.pass(2 * time.Hour)
	}
}
