package exact_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/emulator/msgraph"
	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/tokens"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/sharepoint"
	"mooring/internal/store/sqlite"
)

// Fifty workers share a refresh token that can be used once: each expiry costs one
// exchange, whatever the number of workers and processes, and none is refused.
func TestSharePointRefreshTokensOfFiftyWorkers(t *testing.T) {
	for name, processes := range map[string]int{"one process, in memory": 0, "one process": 1, "five processes": 5} {
		t.Run(name, func(t *testing.T) {
			o := msgraph.Documented()
			o.RefuseReused = true
			l := newLibrary(t, 1, o)
			own := l.User(graphTenant, "ada@contoso.com")
			l.File(own, l.Root(own), "mine.txt", []byte("mine"))
			c, err := config.Decode("sharepoint", map[string]any{"credentials": map[string]any{
				"type": "delegated", "tenant_id": graphTenant, "client_id": graphClient, "client_secret": graphSecret,
				"refresh_token": l.Consent(graphTenant, graphClient, "ada@contoso.com"),
			}}, errs.NewFields("provider_config"))
			if err != nil {
				t.Fatal(err)
			}
			keep := []driver.Tokens{provider.NewTokens(l.clock.Now)}
			if processes > 0 {
				keep = durable(t, processes, c, l.clock)
			}
			guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
			t.Cleanup(guard.Close)
			const expiries, workers = 4, 50
			for range expiries {
				var wg sync.WaitGroup
				for w := range workers {
					wg.Go(func() {
						src, err := sharepoint.Open(t.Context(), c, driver.Options{
							Transport: guard, Endpoints: map[string]string{"api": l.API(), "token": l.LoginURL()}, Tokens: keep[w%len(keep)], Now: l.clock.Now,
						})
						if err != nil {
							t.Error(err)
							return
						}
						if p, err := src.Changes(t.Context(), driver.Scope{}, nil); err != nil || len(p.Changes) != 1 {
							t.Errorf("%d changes, %v", len(p.Changes), err)
						}
					})
				}
				wg.Wait()
				l.clock.Advance(time.Hour)
			}
			if n := l.Count(msgraph.Token); n != expiries {
				t.Errorf("%d exchanges, want %d", n, expiries)
			}
			for _, r := range l.Requests() {
				if r.Operation == msgraph.Token && r.Status != 200 {
					t.Errorf("an exchange ended with %d %s", r.Status, r.Code)
				}
			}
		})
	}
}

// durable are the tokens of a connection as so many processes keep them.
func durable(t *testing.T, processes int, c config.Config, clock *clock) (out []driver.Tokens) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	org, now := id.NewOrg(), clock.Now()
	v := vault.Vault{Sealer: csfle.NewSealer(csfle.NewKeyring(st.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{})), Organizations: st.Organizations()}
	if _, err = st.Organizations().Insert(t.Context(), org, access.Organization{ID: org, Name: "one", DataKey: 1, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	conn, err := st.Connections().Insert(t.Context(), org, connection.Connection{
		ID: id.NewConnection(), Org: org, Provider: "sharepoint", Name: "c", Status: connection.Active, CredentialsGeneration: 1, CreatedAt: now,
		Config: config.Sealed{Provider: "sharepoint", Credential: c.Credential, Credentials: c.Credentials,
			Secrets: map[string]bson.Binary{"refresh_token": {Subtype: 6, Data: []byte("sealed")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range processes {
		k := tokens.New(tokens.Deps{Store: st.Tokens(), Connections: st.Connections(), Vault: v, Now: clock.Now})
		t.Cleanup(func() { k.Close(t.Context()) })
		out = append(out, k.Of(&conn, c))
	}
	return out
}
