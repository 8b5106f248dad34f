// Package config is a connection's provider_config: which fields each provider
// and credential kind takes, as one table that decoding, redaction, sealing and
// documentation are derived from.
package config

import (
	"encoding/json"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/secret"
)

// Config is an opened configuration: what an adapter connects with. Values of
// Fields and Credentials are string, bool, int64 or []string, with defaults
// filled in; a field that is not set is not in the map.
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

// Text returns a string field or public credential field, "" when it is not set.
func (c Config) Text(name string) string {
	if s, ok := c.Fields[name].(string); ok {
		return s
	}
	s, _ := c.Credentials[name].(string)
	return s
}

// Flag returns a boolean field, false when it is not set.
func (c Config) Flag(name string) bool {
	b, _ := c.Fields[name].(bool)
	return b
}

// Number returns an integer field, 0 when it is not set.
func (c Config) Number(name string) int64 {
	n, _ := c.Fields[name].(int64)
	return n
}

// Target is what a connection test should read, "" when the configuration
// names nothing beyond what an adapter knows by itself.
func (c Config) Target() string { return c.Text(bucketField.Name) }

// SecretList returns all secrets, for scrubbing.
func (c Config) SecretList() []secret.String {
	var list []secret.String
	for _, name := range sortedKeys(c.Secrets) {
		list = append(list, c.Secrets[name])
	}
	return list
}

var errOpened = errors.New("config: an opened configuration can't be stored: seal it")

// MarshalBSON always fails: only a Sealed is stored.
func (c Config) MarshalBSON() ([]byte, error) { return nil, errOpened }

// MarshalJSON gives what Redact gives of the same configuration.
func (c Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(redact(c.Provider, c.Credential, c.Fields, c.Credentials, sortedKeys(c.Secrets)))
}
