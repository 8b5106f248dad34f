package snowflake

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

type claims struct {
	Issuer  string   `json:"iss"`
	Subject string   `json:"sub"`
	Issued  *float64 `json:"iat"`
	Expires *float64 `json:"exp"`
}

// maxTokenLife is how long after iat a JWT is accepted, whatever its exp says.
const maxTokenLife = time.Minute

// leeway is how far ahead of the server a client's clock may be.
const leeway = time.Minute

// verifyJWT finds the user that a token was made for. Codes are those that the
// documentation of SYSTEM$GET_LOGIN_FAILURE_DETAILS lists.
func (s *Server) verifyJWT(jwt, account string) (*User, *failure) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, fail("390144")
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	var c claims
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decodePart(parts[0], &head) || !decodePart(parts[1], &c) {
		return nil, fail("390144")
	}
	if head.Algorithm != "RS256" {
		return nil, fail("394305")
	}
	issuer := strings.SplitN(c.Issuer, ".", 3)
	if len(issuer) != 3 {
		return nil, fail("394300")
	}
	if issuer[0] != locator(account) {
		return nil, fail("394307")
	}
	u := s.users[issuer[1]]
	if u == nil || c.Subject != issuer[0]+"."+issuer[1] {
		return nil, fail("394300")
	}
	if f := s.checkTimes(c); f != nil {
		return nil, f
	}
	for _, key := range u.keys {
		if key == nil || fingerprint(key) != issuer[2] {
			continue
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
			return nil, fail("394306")
		}
		return u, nil
	}
	return nil, fail("394304")
}

func (s *Server) checkTimes(c claims) *failure {
	if c.Issued == nil || c.Expires == nil {
		return fail("394301")
	}
	now := s.now()
	issued, expires := time.Unix(int64(*c.Issued), 0), time.Unix(int64(*c.Expires), 0)
	switch {
	case issued.After(now.Add(leeway)), now.Sub(issued) > maxTokenLife:
		return fail("394302")
	case !now.Before(expires):
		return fail("394303")
	}
	return nil
}

func decodePart(part string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(b, v) == nil
}

// locator is the part of an account that tokens name.
func locator(account string) string {
	name, _, _ := strings.Cut(strings.ToUpper(account), ".")
	return name
}
