// Package config is a connection's provider_config: which fields each provider
// and credential kind takes, as one table that decoding, redaction, sealing and
// documentation are derived from.
package config

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/secret"
)

// Config is an opened configuration: what an adapter connects with. Values of
// Fields and Credentials are string, bool, int64 or []string.
type Config struct {
	Provider    string
	Fields      map[string]any           // beside credentials, e.g. region
	Credential  string                   // credentials.type
	Credentials map[string]any           // public credential fields, e.g. access_key_id
	Secrets     map[string]secret.String // sensitive credential fields that are set
}

// Sealed is a configuration as it is stored. It is written as the document
// {provider_type, …fields, credentials: {type, …}} in which each sensitive
// field is a CSFLE value (BSON Binary, subtype 6).
type Sealed struct {
	Provider    string
	Fields      map[string]any
	Credential  string
	Credentials map[string]any
	Secrets     map[string]bson.Binary // empty once destroyed
	Destroyed   []string               // names of the secrets that were destroyed with the credentials
}
