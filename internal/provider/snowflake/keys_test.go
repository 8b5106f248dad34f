package snowflake_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/snowflake"
	"mooring/internal/secret"
)

func keyFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "keys", name))
	must(t, err)
	return string(b)
}

func publicKey(t testing.TB) *rsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode([]byte(keyFile(t, "pkcs1.pem")))
	k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	must(t, err)
	return &k.PublicKey
}

// pair is a configuration with a key pair.
func pair(key, passphrase string) config.Config {
	c := settings(nil)
	c.Credential, c.Secrets = "key_pair", map[string]secret.String{"private_key": secret.New(key)}
	if passphrase != "" {
		c.Secrets["private_key_passphrase"] = secret.New(passphrase)
	}
	return c
}

func TestKeysInEveryForm(t *testing.T) {
	plain := keyFile(t, "pkcs8.pem")
	lines := strings.Split(strings.TrimSpace(plain), "\n")
	forms := map[string]config.Config{
		"pkcs1":                 pair(keyFile(t, "pkcs1.pem"), ""),
		"pkcs8":                 pair(plain, ""),
		"pasted on one line":    pair(strings.ReplaceAll(plain, "\n", `\n`), ""),
		"with carriage returns": pair(strings.ReplaceAll(plain, "\n", "\r\n"), ""),
		"with spaces around":    pair("\n  "+plain+"\n\n", ""),
		"its base64 alone":      pair(strings.Join(lines[1:len(lines)-1], "\n"), ""),
	}
	for _, name := range []string{
		"pkcs1-aes.pem", "pkcs1-des3.pem", "pkcs8-aes128.pem", "pkcs8-aes192.pem", "pkcs8-aes256.pem", "pkcs8-des3.pem", "pkcs8-sha1.pem", "pkcs8-scrypt.pem",
	} {
		forms[name] = pair(keyFile(t, name), "passphrase")
	}
	for name, c := range forms {
		for slot := 1; slot <= 2; slot++ { // either of the two public keys of a user
			srv := emulator.Start(t, emulator.Options{Account: "MYORG-ACCT"})
			srv.Warehouse("WH")
			srv.Key("MOORING", publicKey(t), slot)
			if _, err := open(t, srv, c).Check(t.Context(), ""); err != nil {
				t.Errorf("%s, slot %d: %v", name, slot, err)
			}
		}
	}
}

func TestKeysThatCanNotBeReadSayWhy(t *testing.T) {
	encrypted := keyFile(t, "pkcs8-des3.pem")
	block, _ := pem.Decode([]byte(encrypted))
	damaged := append([]byte(nil), block.Bytes[:len(block.Bytes)-5]...)
	flipped := append([]byte(nil), block.Bytes...)
	flipped[3] ^= 0x55
	asPEM := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	for name, c := range map[string]struct {
		key, passphrase, want string
	}{
		"wrong passphrase, pkcs8":       {encrypted, "wrong", "passphrase is not the right one"},
		"wrong passphrase, aes":         {keyFile(t, "pkcs8-aes256.pem"), "wrong", "passphrase is not the right one"},
		"wrong passphrase, scrypt":      {keyFile(t, "pkcs8-scrypt.pem"), "wrong", "passphrase is not the right one"},
		"wrong passphrase, pkcs1":       {keyFile(t, "pkcs1-aes.pem"), "wrong", "passphrase is not the right one"},
		"wrong passphrase, pkcs1 des3":  {keyFile(t, "pkcs1-des3.pem"), "wrong", "passphrase is not the right one"},
		"no passphrase, pkcs8":          {encrypted, "", "give its private_key_passphrase"},
		"no passphrase, pkcs1":          {keyFile(t, "pkcs1-aes.pem"), "", "give its private_key_passphrase"},
		"passphrase to spare":           {keyFile(t, "pkcs8.pem"), "passphrase", "leave private_key_passphrase out"},
		"passphrase to spare, pkcs1":    {keyFile(t, "pkcs1.pem"), "passphrase", "leave private_key_passphrase out"},
		"another hash":                  {keyFile(t, "bad-sha512.pem"), "passphrase", "openssl pkcs8 -topk8"},
		"PKCS#12 encryption":            {keyFile(t, "bad-pbes1.pem"), "passphrase", "openssl pkcs8 -topk8"},
		"short":                         {keyFile(t, "bad-short.pem"), "", "2048 bits"},
		"public":                        {keyFile(t, "bad-public.pem"), "", "public key"},
		"elliptic curve":                {keyFile(t, "bad-ec.pem"), "", "not an RSA key"},
		"no PEM":                        {"my key", "", "BEGIN PRIVATE KEY"},
		"nothing":                       {"", "", "BEGIN PRIVATE KEY"},
		"cut short, encrypted":          {asPEM("ENCRYPTED PRIVATE KEY", damaged), "passphrase", "damaged"},
		"damaged, encrypted":            {asPEM("ENCRYPTED PRIVATE KEY", flipped), "passphrase", "damaged"},
		"damaged":                       {asPEM("PRIVATE KEY", damaged), "", "damaged"},
		"encrypted, with no ciphertext": {asPEM("ENCRYPTED PRIVATE KEY", nil), "passphrase", "damaged"},
	} {
		_, err := snowflake.Open(t.Context(), pair(c.key, c.passphrase), driver.Options{Transport: recorder{}})
		e := kind(t, err, errs.Invalid, errs.ScopeConnection)
		if !strings.Contains(e.Msg, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if c.key != "" && strings.Contains(err.Error(), strings.TrimSpace(c.key)) {
			t.Errorf("%s: the error repeats the key", name)
		}
	}
}

func TestKeysThatAreRefusedSayWhy(t *testing.T) {
	other := pair(keyFile(t, "pkcs8.pem"), "")
	for name, c := range map[string]struct {
		code, want string
		kind       errs.Kind
	}{
		"no detail":          {"390144", "public key is set", errs.Unauthenticated},
		"another user":       {"394300", "username", errs.Unauthenticated},
		"another key":        {"394304", "the public key of the user is another one", errs.Unauthenticated},
		"bad signature":      {"394306", "key pair was refused", errs.Unauthenticated},
		"another account":    {"394307", "another account", errs.Unauthenticated},
		"the clock is wrong": {"394303", "clock", errs.Internal},
	} {
		srv := emulator.Start(t)
		srv.Key("MOORING", publicKey(t), 1)
		srv.Inject(emulator.Fault{Match: emulator.On(emulator.Login), Action: emulator.Reply(c.code)})
		_, err := open(t, srv, other).Check(t.Context(), "")
		if e := kind(t, err, c.kind, errs.ScopeConnection); e.Code != c.code || !strings.Contains(e.Msg, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if n := srv.Count(emulator.Login); n != 1 {
			t.Errorf("%s: %d logins", name, n)
		}
	}
	srv := emulator.Start(t)
	k := publicKey(t)
	k.E = 3 // registered is another key
	srv.Key("MOORING", k, 1)
	_, err := open(t, srv, other).Check(t.Context(), "")
	if e := kind(t, err, errs.Unauthenticated, errs.ScopeConnection); e.Code != "394304" {
		t.Errorf("%v", err)
	}
}
