package gdrive

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mooring/emulator/noise"
)

// User makes a user, if there is none of this address, and returns the id of the
// root of their My Drive.
func (s *Server) User(email string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree.account(email, s.now()).root.id
}

// SharedDrive makes a shared drive and returns its id, which is also that of its
// root folder. Members are made if need be.
func (s *Server) SharedDrive(name string, members ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &drive{name: name, created: s.now()}
	d.root = s.tree.add(nil, "Drive", mimeFolder, s.now())
	d.root.home.drive = d
	for _, m := range members {
		d.members = append(d.members, s.tree.account(m, s.now()))
	}
	s.tree.drives = append(s.tree.drives, d)
	s.recordDrive(d)
	return d.root.id
}

// editDrive changes a shared drive and records it.
func (s *Server) editDrive(id string, do func(d *drive)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.tree.find(id).home.drive
	if d == nil {
		panic(fmt.Sprintf("gdrive: %q is no shared drive", id))
	}
	before := slices.Clone(d.members)
	do(d)
	s.recordDrive(d, before...)
}

// AddMember gives a user, who is made if need be, access to a shared drive.
func (s *Server) AddMember(driveID, email string) {
	s.editDrive(driveID, func(d *drive) {
		if u := s.tree.account(email, s.now()); !slices.Contains(d.members, u) {
			d.members = append(slices.Clone(d.members), u)
		}
	})
}

// RemoveMember takes a user's access to a shared drive away. The user's log says so of
// the drive, and not of what is in it.
func (s *Server) RemoveMember(driveID, email string) {
	s.editDrive(driveID, func(d *drive) {
		u := s.tree.account(email, s.now())
		d.members = slices.DeleteFunc(slices.Clone(d.members), func(m *user) bool { return m == u })
	})
}

// RenameDrive gives a shared drive another name.
func (s *Server) RenameDrive(driveID, name string) {
	s.editDrive(driveID, func(d *drive) { d.name = name })
}

// DeleteDrive removes a shared drive with all that is in it.
func (s *Server) DeleteDrive(driveID string) {
	s.editDrive(driveID, func(d *drive) {
		d.gone = true
		s.tree.remove(d.root)
		s.tree.drives = slices.DeleteFunc(s.tree.drives, func(o *drive) bool { return o == d })
	})
}

// serviceAccount is an account that signs assertions with a key.
type serviceAccount struct {
	user      *user
	keyID     string
	key       *rsa.PublicKey
	delegates []string // whom it may impersonate; lower case
}

// keys are made once per process and dealt out in order, as making one takes a
// while. The accounts of one server have different ones.
var keys struct {
	sync.Mutex
	made []*rsa.PrivateKey
}

func privateKey(n int) *rsa.PrivateKey {
	keys.Lock()
	defer keys.Unlock()
	for len(keys.made) <= n {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys.made = append(keys.made, k)
	}
	return keys.made[n]
}

// ServiceAccount makes a service account, which is also a user of its own, and returns
// its key file (JSON). It may impersonate the delegates, who are made if need be. Another
// call for the same address replaces its key.
func (s *Server) ServiceAccount(email string, delegates ...string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oauth.serial++
	key := privateKey(s.oauth.keys)
	s.oauth.keys++
	a := &serviceAccount{user: s.tree.account(email, s.now()), key: &key.PublicKey}
	a.keyID = fmt.Sprintf("%016x%016x%08x", noise.Mix(s.oauth.serial), noise.Mix(^s.oauth.serial), noise.Mix(s.oauth.serial+1)>>32)
	for _, d := range delegates {
		a.delegates = append(a.delegates, s.tree.account(d, s.now()).email)
	}
	s.oauth.accounts[strings.ToLower(email)] = a

	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	name, _, _ := strings.Cut(email, "@")
	file, err := json.MarshalIndent(map[string]string{
		"type":                        "service_account",
		"project_id":                  "emulator",
		"private_key_id":              a.keyID,
		"private_key":                 string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email":                email,
		"client_id":                   fmt.Sprint(noise.Mix(s.oauth.serial)),
		"auth_uri":                    s.AuthURL(),
		"token_uri":                   s.TokenURL(),
		"auth_provider_x509_cert_url": s.URL + "/oauth2/v1/certs",
		"client_x509_cert_url":        s.URL + "/robot/v1/metadata/x509/" + name,
		"universe_domain":             "googleapis.com",
	}, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(file, '\n')
}

// OAuthClient registers an application. Any redirect address is accepted.
func (s *Server) OAuthClient(id, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oauth.clients[id] = secret
}

// Consent returns a refresh token as if the user, who is made if need be, had let the
// application read their drive.
func (s *Server) Consent(clientID, email string) (refreshToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.oauth.clients[clientID]; !ok {
		panic(fmt.Sprintf("gdrive: there is no OAuth client %q", clientID))
	}
	return s.oauth.refreshToken(grant{user: s.tree.account(email, s.now()), client: clientID, scope: scopeReadonly})
}

// AccessToken returns a token that reads as a user, who is made if need be, without
// asking the token endpoint.
func (s *Server) AccessToken(email string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accessToken(grant{user: s.tree.account(email, s.now()), scope: scopeReadonly})
}

// RevokeTokens ends all tokens there are, refresh tokens included.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.oauth.access)
	clear(s.oauth.refresh)
}

// ExpireAccessTokens ends the access tokens there are. Refresh tokens stay good.
func (s *Server) ExpireAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.oauth.access)
}
