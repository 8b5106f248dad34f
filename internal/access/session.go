package access

import (
	"time"

	"mooring/internal/clock"
	"mooring/internal/id"
	"mooring/internal/outbox"
)

// Session is a browser that is signed in to the dashboard with an API key, or
// the link by which one can sign in, once. It ends with the key.
type Session struct {
	ID       id.Session    `bson:"_id"`
	Org      id.Org        `bson:"internal_id"`
	Revision int64         `bson:"revision"`
	Key      id.APIKey     `bson:"key_id"`
	Link     string        `bson:"link,omitempty"`   // hex SHA-256 of a link's secret, until it is used
	Cookie   string        `bson:"cookie,omitempty"` // hex SHA-256 of the cookie's secret, from then on
	IP       string        `bson:"ip,omitempty"`     // from where it began
	Agent    string        `bson:"user_agent,omitempty"`
	SeenAt   time.Time     `bson:"seen_at"`
	Outbox   outbox.Outbox `bson:"outbox,omitempty"`

	CreatedAt time.Time `bson:"created_at"` // when it began, or the link was made
	ExpiresAt time.Time `bson:"expires_at"` // moves while it is used, up to SessionLife after CreatedAt
}

// See notes that the session is in use.
func (s *Session) See(now time.Time) {
	s.SeenAt, s.ExpiresAt = now, now.Add(SessionIdle)
	if end := s.CreatedAt.Add(SessionLife); s.ExpiresAt.After(end) {
		s.ExpiresAt = end
	}
}

// Live reports whether the session has not expired. One that expires later than
// any can was seen by a clock that was wrong, and would last until its time.
func (s *Session) Live(now time.Time) bool {
	return now.Before(s.ExpiresAt) && !s.ExpiresAt.After(now.Add(SessionIdle+clock.Slack))
}

// How long sessions last.
const (
	LinkLife    = 10 * time.Minute
	SessionIdle = 12 * time.Hour     // without a request
	SessionLife = 7 * 24 * time.Hour // in all
)
