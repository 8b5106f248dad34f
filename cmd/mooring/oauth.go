package main

import (
	"context"
	"time"

	"mooring/csfle"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/oauth"
)

// oauthClients are the operator's, as the services know them.
func (a *app) oauthClients() (out []connectionservice.OAuthClient) {
	for _, c := range a.settings.OAuthClients() {
		out = append(out, connectionservice.OAuthClient{Name: c.Name, Provider: c.Provider, ID: c.ID, Secret: c.Secret, Tenant: c.Tenant})
	}
	return out
}

// wireOAuth makes what connects by a user's consent.
func (a *app) wireOAuth(sealer *csfle.Sealer) *oauth.Service {
	return oauth.New(oauth.Deps{
		Connections: a.connections, Organizations: a.store.Organizations(), Keys: a.store.APIKeys(), Consents: a.store.Consents(),
		Vault: vault.Vault{Sealer: sealer, Organizations: a.store.Organizations()}, Clients: a.oauthClients(),
		HTTP: a.guard.Client(false), Endpoints: a.settings.ProviderEndpoints(), PublicURL: a.settings.PublicURL, Now: time.Now,
	})
}

// sweepEvery is how long what has expired may lie about.
const sweepEvery = 10 * time.Minute

// sweepTokens removes, of every organization, consents that have expired and
// tokens of connections that were archived, until ctx ends.
func (a *app) sweepTokens(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		err := a.worker.Once(ctx, "tokens", a.sweepTokensOnce)
		if err != nil && !errs.Is(err, errs.Conflict) && ctx.Err() == nil {
			a.log.Error("removing expired consents", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *app) sweepTokensOnce(ctx context.Context) error {
	const batch = 100
	for after := id.Org(""); ; {
		orgs, err := a.system.Organizations(ctx, after, batch)
		if err != nil {
			return err
		}
		for _, o := range orgs {
			if err := a.store.Consents().Sweep(ctx, o.ID, time.Now()); err != nil {
				return err
			}
			if err := a.store.Tokens().Sweep(ctx, o.ID); err != nil {
				return err
			}
			after = o.ID
		}
		if len(orgs) < batch {
			return nil
		}
	}
}
