// Package webhook is a subscription to an organization's events: its state, how
// it is signed (https://www.standardwebhooks.com, version 1), and how long a
// message is tried.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/outbox"
	"mooring/internal/secret"
)

// Status says whether messages are sent.
type Status string

// The states.
const (
	Active   Status = "ACTIVE"
	Disabled Status = "DISABLED" // by a user
	Parked   Status = "PARKED"   // by the system: the receiver was down for days, or answered that it is gone
)

// Webhook is one receiver of an organization. What it has not been sent yet are
// the events behind Position and its deliveries: a receiver that is down leaves
// no backlog of rows.
type Webhook struct {
	ID          id.Webhook    `bson:"_id"`
	Org         id.Org        `bson:"internal_id"`
	Revision    int64         `bson:"revision"`
	URL         string        `bson:"url"`
	Description string        `bson:"description"`
	Types       []string      `bson:"event_types"` // exact, or a kind as object.*; none: all
	Bucket      id.Bucket     `bson:"bucket_id,omitempty"`
	Connection  id.Connection `bson:"connection_id,omitempty"`
	Secrets     []Secret      `bson:"secrets"` // the newest first

	Status       Status     `bson:"status"`
	StatusReason string     `bson:"status_reason,omitempty"`
	Position     int64      `bson:"position"`       // the sequence of the last event that was dealt with
	Part         int        `bson:"part,omitempty"` // how many messages of the next event were, too
	Failures     int        `bson:"consecutive_failures"`
	RetryAt      time.Time  `bson:"retry_at"`            // nothing is sent before
	RestedAt     *time.Time `bson:"rested_at,omitempty"` // when a turn set it
	LastSentAt   *time.Time `bson:"last_delivered_at,omitempty"`
	LastStatus   int        `bson:"last_status,omitempty"` // of HTTP; 0: no answer
	LastError    string     `bson:"last_error,omitempty"`

	CreatedAt time.Time     `bson:"created_at"`
	UpdatedAt time.Time     `bson:"updated_at"`
	CreatedBy string        `bson:"created_by_user_id"`
	Outbox    outbox.Outbox `bson:"outbox,omitempty"`
}

// Secret is a signing secret, sealed. One that was rotated out signs too until
// it expires.
type Secret struct {
	Value     bson.Binary `bson:"value"`
	ExpiresAt *time.Time  `bson:"expires_at,omitempty"`
}

// Wants reports whether a message is for the receiver.
func (w *Webhook) Wants(m event.Message) bool {
	is := func(want, field string) bool { return want == "" || m.Data[field] == want }
	return event.Match(w.Types, m.Type) && is(string(w.Bucket), "bucket_id") && is(string(w.Connection), "connection_id")
}

// Delivery is a message that a receiver which works otherwise did not take.
type Delivery struct {
	ID         string     `bson:"_id"` // DeliveryID
	Org        id.Org     `bson:"internal_id"`
	Revision   int64      `bson:"revision"`
	Webhook    id.Webhook `bson:"webhook_id"`
	Message    string     `bson:"message_id"`
	Sequence   int64      `bson:"sequence"` // of the event
	Part       int        `bson:"part"`
	Type       string     `bson:"type"`
	State      string     `bson:"state"` // Pending or Given up
	Attempts   int        `bson:"attempts"`
	NextAt     *time.Time `bson:"next_at,omitempty"` // nil once it is parked
	LastStatus int        `bson:"last_status,omitempty"`
	LastError  string     `bson:"last_error,omitempty"`
	CreatedAt  time.Time  `bson:"created_at"`
	UpdatedAt  time.Time  `bson:"updated_at"`
}

// States of a delivery. One that succeeded leaves no row.
const (
	DeliveryPending = "pending"
	DeliveryParked  = "parked"
)

// DeliveryID is the id of the delivery of a message to a webhook.
func DeliveryID(w id.Webhook, message string) string { return string(w) + "/" + message }

// pauses are the waits after the first, second, … failure, about three days in
// all, as the specification suggests.
var pauses = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// maxAfter bounds what a receiver may ask to wait.
const maxAfter = 24 * time.Hour

// Pause is the wait after a number of failures, a tenth more or less, and not
// less than the receiver asked for; ok is false when it is time to give up.
func Pause(failures int, after time.Duration) (wait time.Duration, ok bool) {
	if failures > len(pauses) {
		return 0, false
	}
	p := pauses[failures-1]
	p += time.Duration((rand.Float64() - 0.5) * float64(p) / 5) //nolint:gosec // jitter
	return max(p, min(after, maxAfter)), true
}

// keyLead begins a secret as users see it; what follows is base64.
const keyLead = "whsec_"

// NewSecret writes 32 random bytes as the specification wants a secret.
func NewSecret(random []byte) secret.String {
	return secret.New(keyLead + base64.StdEncoding.EncodeToString(random))
}

// Sign returns the value of the header webhook-signature: a signature for each
// secret, the newest first.
func Sign(secrets []secret.String, message string, at time.Time, body []byte) string {
	var out []string
	for _, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), keyLead))
		if err != nil {
			continue
		}
		m := hmac.New(sha256.New, key)
		m.Write([]byte(message + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		m.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	}
	return strings.Join(out, " ")
}

// Body is a message as receivers and the event stream get it.
func Body(org id.Org, m event.Message) ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": m.ID, "type": m.Type, "timestamp": m.Time.UTC().Format("2006-01-02T15:04:05.000Z"), "sequence": m.Sequence, "internal_id": string(org), "data": orEmpty(m.Data),
	})
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// Live returns the secrets that sign at a time.
func (w *Webhook) Live(now time.Time) []Secret {
	return slices.DeleteFunc(slices.Clone(w.Secrets), func(s Secret) bool { return s.ExpiresAt != nil && !s.ExpiresAt.After(now) })
}
