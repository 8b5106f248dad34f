package s3

import (
	"slices"
	"time"
)

// AccessKey is a pair of keys that the server accepts. With a SessionToken it is
// a temporary one: requests must present the token too.
type AccessKey struct {
	ID           string
	Secret       string
	SessionToken string
	// Expires ends a temporary key on the server's clock; zero is never.
	Expires time.Time
	// Deny lists what this key may not do: the answer is 403 AccessDenied. The
	// AccessKey of a Match is not looked at.
	Deny []Match
}

// credential is an accepted key. The role is that of an assumed session.
type credential struct {
	AccessKey
	role    string // ARN
	session string // name of the session
}

// arn names the caller as error messages and GetCallerIdentity do.
func (c *credential) arn() string {
	if c.role != "" {
		return assumedARN(c.role, c.session)
	}
	return "arn:aws:iam::" + account + ":user/" + c.ID
}

// denied says whether the key may not do this.
func (c *credential) denied(e *Request) bool {
	return slices.ContainsFunc(c.Deny, func(m Match) bool {
		m.AccessKey = ""
		return m.matches(e)
	})
}

// AddKey accepts a key, or replaces the one with its id.
func (s *Server) AddKey(k AccessKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[k.ID] = &credential{AccessKey: k}
}

// RemoveKey stops accepting a key, a session's too.
func (s *Server) RemoveKey(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, id)
}

// ExpireSession makes the session with this access key id expire now, whatever
// the clock says. Keys without a session token don't expire.
func (s *Server) ExpireSession(accessKeyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.keys[accessKeyID]; c != nil && c.SessionToken != "" {
		expired := *c
		expired.Expires = time.Unix(0, 0)
		s.keys[accessKeyID] = &expired
	}
}

// credential returns an accepted key, or nil.
func (s *Server) credential(id string) *credential {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.keys[id]
}

// knownToken says whether some session has this token.
func (s *Server) knownToken(token string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.keys {
		if c.SessionToken == token {
			return true
		}
	}
	return false
}

// lookup finds what a request presents among the accepted keys.
func (s *Server) lookup(id, token string) (*credential, error) {
	c := s.credential(id)
	switch {
	case token != "" && !s.knownToken(token):
		return nil, failure("InvalidToken")
	case c == nil || token == "" && c.SessionToken != "":
		return nil, failure("InvalidAccessKeyId", Element{"AWSAccessKeyId", id})
	case token != c.SessionToken:
		return nil, failure("InvalidToken")
	case !c.Expires.IsZero() && !s.now().Before(c.Expires):
		return nil, failure("ExpiredToken")
	}
	return c, nil
}
