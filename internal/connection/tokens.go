package connection

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/audit"
	"mooring/internal/id"
	"mooring/internal/outbox"
)

// Tokens are what the credentials of a connection were exchanged for, shared by
// all processes. The tokens are CSFLE values.
type Tokens struct {
	Connection id.Connection `bson:"_id"`
	Org        id.Org        `bson:"internal_id"`
	Revision   int64         `bson:"revision"` // moved by the store at each update

	// Generation is the CredentialsGeneration that the access token was gotten with.
	Generation int64 `bson:"credentials_generation"`
	// Lineage tells which refresh token of the configuration the one kept here
	// descends from; "" for credentials without.
	Lineage string `bson:"lineage,omitempty"`

	Access  *bson.Binary `bson:"access_token,omitempty"`
	Expires time.Time    `bson:"expires_at"`
	Refresh *bson.Binary `bson:"refresh_token,omitempty"` // after a rotation
	// Started stands while a token endpoint is being asked.
	Started *RefreshStarted `bson:"refresh_started,omitempty"`
	// Uncertain: a token endpoint was asked and nobody heard its answer, so that
	// the refresh token may be spent.
	Uncertain bool `bson:"uncertain,omitempty"`
	// Reauthorize: the refresh token was spent so, and only another consent helps.
	Reauthorize bool `bson:"reauth_required,omitempty"`

	CreatedAt time.Time `bson:"created_at"`
	UpdatedAt time.Time `bson:"updated_at"`
}

// RefreshStarted says who asks a token endpoint. At is the holder's clock, for
// display: whether it is stale is told by Attempt alone.
type RefreshStarted struct {
	Holder  id.Worker `bson:"holder"`
	At      time.Time `bson:"at"`
	Attempt string    `bson:"attempt"` // another one each time
}

// The phases of a Consent.
const (
	ConsentIssued    = "issued"    // its link was given out
	ConsentConfirmed = "confirmed" // a browser was sent to the provider
	ConsentUsed      = "used"      // that browser came back
)

// Consent is one attempt to connect by asking a user at the provider. It can be
// used once and expires. The link, the state and the cookie are stored as hashes.
type Consent struct {
	ID       string `bson:"_id"`
	Org      id.Org `bson:"internal_id"`
	Revision int64  `bson:"revision"`

	Provider string         `bson:"provider_type"`
	Client   string         `bson:"oauth_client"` // the operator's, by name
	Fields   map[string]any `bson:"fields"`       // of provider_config, beside credentials
	// Connection is the one to reconnect; "" makes a new one of the Name.
	Connection  id.Connection  `bson:"connection_id,omitempty"`
	Name        string         `bson:"name,omitempty"`
	Description *string        `bson:"description,omitempty"`
	Metadata    map[string]any `bson:"metadata,omitempty"`
	Actor       audit.Actor    `bson:"actor"` // who asked for the link
	User        id.User        `bson:"user_id"`

	Phase    string       `bson:"phase"`
	Link     string       `bson:"link_hash"`
	State    string       `bson:"state_hash,omitempty"`
	Cookie   string       `bson:"cookie_hash,omitempty"`
	Verifier *bson.Binary `bson:"verifier,omitempty"` // PKCE, sealed

	CreatedAt time.Time     `bson:"created_at"`
	ExpiresAt time.Time     `bson:"expires_at"`
	Outbox    outbox.Outbox `bson:"outbox,omitempty"`
}
