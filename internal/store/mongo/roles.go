package mongo

import (
	"mooring/csfle"
	"mooring/internal/store"
)

// roles are the collections of a store.
type roles struct {
	organizations organizations
	users         users
	namespaces    namespaces
	apiKeys       apiKeys
	sessions      sessions
	connections   connections
	buckets       buckets
	syncs         syncs
	passes        passes
	shards        shards
	runs          runs
	tokens        tokens
	consents      consents
	webhooks      webhooks
	deliveries    deliveries
}

func newRoles(s *Store) roles {
	return roles{
		newOrganizations(s), newUsers(s), newNamespaces(s), newAPIKeys(s), newSessions(s), newConnections(s), newBuckets(s),
		newSyncs(s), newPasses(s), newShards(s), newRuns(s), newTokens(s), newConsents(s),
		newWebhooks(s), newDeliveries(s),
	}
}

// The roles of store.Store.

// Organizations implements store.Store.
func (s *Store) Organizations() store.Organizations { return s.organizations }

// Users implements store.Store.
func (s *Store) Users() store.Users { return s.users }

// Namespaces implements store.Store.
func (s *Store) Namespaces() store.Namespaces { return s.namespaces }

// APIKeys implements store.Store.
func (s *Store) APIKeys() store.APIKeys { return s.apiKeys }

// Sessions implements store.Store.
func (s *Store) Sessions() store.Sessions { return s.sessions }

// Connections implements store.Store.
func (s *Store) Connections() store.Connections { return s.connections }

// Tokens implements store.Store.
func (s *Store) Tokens() store.Tokens { return s.tokens }

// Consents implements store.Store.
func (s *Store) Consents() store.Consents { return s.consents }

// Usage implements store.Store.
func (s *Store) Usage() store.Usage { return usage{s} }

// Webhooks implements store.Store.
func (s *Store) Webhooks() store.Webhooks { return s.webhooks }

// Deliveries implements store.Store.
func (s *Store) Deliveries() store.Deliveries { return s.deliveries }

// Buckets implements store.Store.
func (s *Store) Buckets() store.Buckets { return s.buckets }

// Catalogue implements store.Store.
func (s *Store) Catalogue() store.Catalogue { return catalogue{s} }

// Tree implements store.Store.
func (s *Store) Tree() store.Tree { return tree{s} }

// Syncs implements store.Store.
func (s *Store) Syncs() store.Syncs { return s.syncs }

// Passes implements store.Store.
func (s *Store) Passes() store.Passes { return s.passes }

// Shards implements store.Store.
func (s *Store) Shards() store.Shards { return s.shards }

// Runs implements store.Store.
func (s *Store) Runs() store.Runs { return s.runs }

// Pages implements store.Store.
func (s *Store) Pages() store.Pages { return pages{s} }

// Absences implements store.Store.
func (s *Store) Absences() store.Absences { return absences{s} }

// DeadLetters implements store.Store.
func (s *Store) DeadLetters() store.DeadLetters { return deadLetters{s} }

// Audit implements store.Store.
func (s *Store) Audit() store.Audit { return trail{s} }

// Events implements store.Store.
func (s *Store) Events() store.Events { return events{s} }

// Leases implements store.Store.
func (s *Store) Leases() store.Leases { return leases{s} }

// KeyVault implements store.Store.
func (s *Store) KeyVault() csfle.KeyVault { return vault{s} }
