package snowflake_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	driver "github.com/snowflakedb/gosnowflake"

	"mooring/emulator/snowflake"
)

func TestPassword(t *testing.T) {
	s := account(t)
	if got := mustRead(t, open(t, config(s)), `SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE()`); fmt.Sprint(got) != "[[ALICE SYSADMIN WH]]" {
		t.Fatalf("got %v", got)
	}
	for name, change := range map[string]func(*driver.Config){
		"wrong password": func(c *driver.Config) { c.Password = "wrong" },
		"unknown user":   func(c *driver.Config) { c.User = "bob" },
	} {
		cfg := config(s)
		change(&cfg)
		t.Run(name, func(t *testing.T) { wantCode(t, open(t, cfg).Ping(), 390100) })
	}
	s.User("keyonly", "").DefaultWarehouse("WH")
	cfg := config(s)
	cfg.User, cfg.Password = "keyonly", "any"
	wantCode(t, open(t, cfg).Ping(), 390100)
	if s.Logins() != 1 || s.Count(snowflake.Login) != 4 {
		t.Fatalf("%d logins of %d attempts, want 1 of 4", s.Logins(), s.Count(snowflake.Login))
	}
}

func TestLockedUser(t *testing.T) {
	s := account(t)
	u := s.User("alice", "right").Lock(true)
	wantCode(t, open(t, config(s)).Ping(), 390102)
	u.Lock(false)
	if err := open(t, config(s)).Ping(); err != nil {
		t.Fatal(err)
	}
}

func TestAccount(t *testing.T) {
	s := account(t, snowflake.Options{Account: "org-acct"})
	if err := open(t, config(s)).Ping(); err != nil {
		t.Fatal(err)
	}
	cfg := config(s)
	cfg.Account = "ORG-OTHER"
	wantCode(t, open(t, cfg).Ping(), driver.ErrCodeFailedToConnect)
}

func TestKeyPair(t *testing.T) {
	s := account(t)
	login := func(key *rsa.PrivateKey) error {
		cfg := config(s)
		cfg.Authenticator, cfg.Password, cfg.PrivateKey = driver.AuthTypeJwt, "", key
		return open(t, cfg).Ping()
	}
	first, second := keys()[0], keys()[1]
	wantCode(t, login(first), 394304)
	s.Key("alice", &first.PublicKey, 1)
	if err := login(first); err != nil {
		t.Fatal(err)
	}
	wantCode(t, login(second), 394304)
	s.Key("alice", &second.PublicKey, 2) // rotation: both work
	for i, key := range []*rsa.PrivateKey{first, second} {
		if err := login(key); err != nil {
			t.Fatalf("key %d: %v", i, err)
		}
	}
	s.Key("alice", nil, 1)
	wantCode(t, login(first), 394304)
	if err := login(second); err != nil {
		t.Fatal(err)
	}
}

// jwt signs claims as a client would, with a header that may lie.
func jwt(key *rsa.PrivateKey, header string, claims map[string]any) string {
	b, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(b)
	sum := sha256.Sum256([]byte(text))
	signature, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestJWTRules(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := account(t, snowflake.Options{Account: "org-acct", Now: func() time.Time { return now }})
	key, other := keys()[0], keys()[1]
	s.Key("alice", &key.PublicKey, 1)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	finger := "SHA256:" + base64.StdEncoding.EncodeToString(sum[:])
	const rs256 = `{"alg":"RS256","typ":"JWT"}`
	tests := []struct {
		name   string
		key    *rsa.PrivateKey
		header string
		change map[string]any
		code   string
	}{
		{"right", key, rs256, nil, ""},
		{"user of another name", key, rs256, map[string]any{"iss": "ORG-ACCT.BOB." + finger, "sub": "ORG-ACCT.BOB"}, "394300"},
		{"no fingerprint", key, rs256, map[string]any{"iss": "ORG-ACCT.ALICE"}, "394300"},
		{"lower case", key, rs256, map[string]any{"iss": "ORG-ACCT.alice." + finger, "sub": "ORG-ACCT.alice"}, "394300"},
		{"subject is not the issuer's", key, rs256, map[string]any{"sub": "ORG-ACCT.BOB"}, "394300"},
		{"no expiry", key, rs256, map[string]any{"exp": nil}, "394301"},
		{"no issue time", key, rs256, map[string]any{"iat": nil}, "394301"},
		{"issued in the future", key, rs256, map[string]any{"iat": now.Add(time.Hour).Unix()}, "394302"},
		{"issued long ago", key, rs256, map[string]any{"iat": now.Add(-61 * time.Second).Unix()}, "394302"},
		{"expired", key, rs256, map[string]any{"exp": now.Unix()}, "394303"},
		{"unknown fingerprint", key, rs256, map[string]any{"iss": "ORG-ACCT.ALICE.SHA256:abc"}, "394304"},
		{"algorithm", key, `{"alg":"none"}`, nil, "394305"},
		{"signed by another key", other, rs256, nil, "394306"},
		{"another account", key, rs256, map[string]any{"iss": "ORG-OTHER.ALICE." + finger, "sub": "ORG-OTHER.ALICE"}, "394307"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			claims := map[string]any{"iss": "ORG-ACCT.ALICE." + finger, "sub": "ORG-ACCT.ALICE", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
			for name, v := range tt.change {
				claims[name] = v
				if v == nil {
					delete(claims, name)
				}
			}
			if code := postLogin(t, s, jwt(tt.key, tt.header, claims)); code != tt.code {
				t.Fatalf("code %q, want %q", code, tt.code)
			}
		})
	}
	if code := postLogin(t, s, "not.a.jwt"); code != "390144" {
		t.Fatalf("code %q for nonsense", code)
	}
}

// postLogin logs in with a token and returns the code of the refusal.
func postLogin(t *testing.T, s *snowflake.Server, token string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"data": map[string]any{"ACCOUNT_NAME": "ORG-ACCT", "AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/session/v1/login-request", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Success bool
		Code    string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Success != (answer.Code == "") {
		t.Fatalf("success %v with code %q", answer.Success, answer.Code)
	}
	return answer.Code
}

func TestLoginObjects(t *testing.T) {
	s := account(t)
	numbers(s, 1)
	s.Role("READER")
	s.Role("OTHER")
	s.User("carol", "right").Role("READER")
	no := driver.ConfigBoolFalse
	tests := []struct {
		name   string
		change func(*driver.Config)
		code   int
	}{
		{"unknown role", func(c *driver.Config) { c.Role = "NOBODY" }, 390189},
		{"role that is not granted", func(c *driver.Config) { c.Role = "OTHER" }, 390186},
		{"unknown warehouse", func(c *driver.Config) { c.Warehouse = "NONE" }, 390201},
		{"unknown warehouse, unchecked", func(c *driver.Config) { c.Warehouse, c.ValidateDefaultParameters = "NONE", no }, 0},
		{"unknown database", func(c *driver.Config) { c.Database = "NONE" }, 390201},
		{"unknown schema", func(c *driver.Config) { c.Database, c.Schema = "DB", "NONE" }, 390201},
		{"all there", func(c *driver.Config) { c.Database, c.Schema, c.Role = "db", "public", "sysadmin" }, 0},
		{"warehouse without usage", func(c *driver.Config) { c.User = "carol" }, 390201},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(s)
			tt.change(&cfg)
			wantCode(t, open(t, cfg).Ping(), tt.code)
		})
	}
}

func TestGrants(t *testing.T) {
	s := account(t)
	numbers(s, 3)
	s.Table("DB.PUBLIC.SECRETS", []snowflake.Column{{Name: "X", Type: snowflake.Number}})
	s.Role("READER")
	s.User("carol", "right").Role("READER")
	s.Grant("READER", snowflake.Usage, "WH")
	cfg := config(s)
	cfg.User = "carol"
	db := open(t, cfg)
	_, err := read(lasting(t), db, `SELECT ID FROM DB.PUBLIC.NUMBERS`)
	wantCode(t, err, 2003)
	s.Grant("READER", snowflake.Select, "DB.PUBLIC.NUMBERS")
	if got := mustRead(t, db, `SELECT COUNT(*) FROM DB.PUBLIC.NUMBERS`); got[0][0] != "3" {
		t.Fatalf("got %v", got)
	}
	if got := mustRead(t, db, `SHOW TABLES IN SCHEMA DB.PUBLIC`); len(got) != 1 || got[0][1] != "NUMBERS" {
		t.Fatalf("a role sees %v", got)
	}
	s.Revoke("READER", snowflake.Select, "DB.PUBLIC.NUMBERS")
	_, err = read(lasting(t), db, `DESCRIBE TABLE DB.PUBLIC.NUMBERS`)
	wantCode(t, err, 2003)
	if got := mustRead(t, db, `SHOW DATABASES`); len(got) != 0 {
		t.Fatalf("without a grant a role sees %v", got)
	}
}
