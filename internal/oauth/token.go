package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"mooring/internal/connection"
	"mooring/internal/id"
)

const (
	orgLead   = "int_"
	secretLen = 32 // characters of [a-z0-9]: 165 bits
	maxToken  = 200
)

// newToken makes a token that leads to a flow: the organization, the flow, and a
// secret of which only the hash is kept. Links and states are such tokens.
func newToken(c *connection.Consent) (token, hash string) {
	s := id.NewToken(secretLen)
	return strings.TrimPrefix(string(c.Org), orgLead) + "-" + c.ID + "-" + s, hashOf(s)
}

// parse is the inverse of newToken. ok is false for what can't be one.
func parse(token string) (org id.Org, consent, secret string, ok bool) {
	if len(token) > maxToken {
		return "", "", "", false
	}
	parts := strings.Split(token, "-")
	if len(parts) != 3 {
		return "", "", "", false
	}
	for _, p := range parts {
		if p == "" || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return "", "", "", false
		}
	}
	return id.Org(orgLead + parts[0]), parts[1], parts[2], true
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// matches compares a secret with a hash, in constant time; nothing matches "".
func matches(secret, hash string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(hashOf(secret)), []byte(hash)) == 1
}
