package snowflake

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"strings"

	"github.com/youmark/pkcs8"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

const (
	msgNotPEM    = "private_key is no private key in PEM: it must begin with -----BEGIN PRIVATE KEY----- or -----BEGIN ENCRYPTED PRIVATE KEY-----"
	msgPublic    = "private_key holds a public key or a certificate: the private key is the other file"
	msgNotRSA    = "private_key is not an RSA key: Snowflake takes RSA keys of at least 2048 bits"
	msgShortKey  = "private_key is shorter than the 2048 bits that Snowflake asks for"
	msgBrokenKey = "private_key is damaged: its content is no key"
	msgNeedsPass = "private_key is encrypted: give its private_key_passphrase"
	msgWrongPass = "private_key can't be decrypted: private_key_passphrase is not the right one"
	msgSparePass = "private_key is not encrypted: leave private_key_passphrase out"
	msgScheme    = "private_key is encrypted in a way that can't be read here: write it anew with openssl pkcs8 -topk8 -v2 aes256 -v2prf hmacWithSHA256"
	minKeyBits   = 2048
)

// parseKey reads a private key: PKCS#1 or PKCS#8, each plain or encrypted (PKCS#8
// by PBES2 with AES or triple DES; PKCS#1 by the headers of OpenSSL).
func parseKey(key, passphrase secret.String) (*rsa.PrivateKey, error) {
	// A key that was pasted into JSON or an environment variable may have its
	// line ends written out.
	text := strings.ReplaceAll(key.Reveal(), `\n`, "\n")
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil {
		if der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil && len(der) > 0 {
			block = &pem.Block{Type: "PRIVATE KEY", Bytes: der} // without its first and last line
		} else {
			return nil, badKey(msgNotPEM)
		}
	}
	k, err := parseBlock(block, []byte(passphrase.Reveal()))
	if err != nil {
		return nil, err
	}
	switch {
	case k.N.BitLen() < minKeyBits:
		return nil, badKey(msgShortKey)
	case k.Validate() != nil:
		return nil, badKey(msgBrokenKey)
	}
	return k, nil
}

func parseBlock(block *pem.Block, pass []byte) (*rsa.PrivateKey, error) {
	legacy := x509.IsEncryptedPEMBlock(block) //nolint:staticcheck // keys that exist are encrypted so
	if (legacy || block.Type == "ENCRYPTED PRIVATE KEY") && len(pass) == 0 {
		return nil, badKey(msgNeedsPass)
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		der := block.Bytes
		if legacy {
			var err error
			if der, err = x509.DecryptPEMBlock(block, pass); err != nil { //nolint:staticcheck // as above
				return nil, badKey(msgWrongPass)
			}
		} else if len(pass) > 0 {
			return nil, badKey(msgSparePass)
		}
		k, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil && legacy {
			return nil, badKey(msgWrongPass) // padding that fits by chance
		}
		return rsaKey(k, err)
	case "PRIVATE KEY":
		if len(pass) > 0 {
			return nil, badKey(msgSparePass)
		}
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		return rsaKey(k, err)
	case "ENCRYPTED PRIVATE KEY":
		return decrypt(block.Bytes, pass)
	case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
		return nil, badKey(msgPublic)
	case "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY":
		return nil, badKey(msgNotRSA)
	}
	return nil, badKey(msgNotPEM)
}

func rsaKey(k any, err error) (*rsa.PrivateKey, error) {
	if err != nil {
		return nil, badKey(msgBrokenKey)
	}
	r, ok := k.(*rsa.PrivateKey)
	if !ok {
		return nil, badKey(msgNotRSA)
	}
	return r, nil
}

// decrypt reads an encrypted PKCS#8 key.
func decrypt(der, pass []byte) (k *rsa.PrivateKey, err error) {
	if err := readable(der); err != nil {
		return nil, err
	}
	defer func() {
		if recover() != nil { // the library takes the lengths in a damaged key for granted
			k, err = nil, badKey(msgBrokenKey)
		}
	}()
	parsed, err := pkcs8.ParsePKCS8PrivateKey(der, pass)
	switch {
	case err == nil:
		return rsaKey(parsed, nil)
	case strings.HasPrefix(err.Error(), "pkcs8: unsupported"):
		return nil, badKey(msgScheme)
	}
	return nil, badKey(msgWrongPass)
}

// encrypted is an EncryptedPrivateKeyInfo with the parameters of PBES2 (RFC 8018).
type encrypted struct {
	Algorithm struct {
		ID     asn1.ObjectIdentifier
		Params asn1.RawValue `asn1:"optional"`
	}
	Data []byte
}

type pbes2 struct {
	KDF struct {
		ID     asn1.ObjectIdentifier
		Params asn1.RawValue
	}
	Cipher asn1.RawValue
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
)

// Bounds of the work that a key's own parameters may ask for.
const (
	maxIterations   = 2_000_000
	maxScryptMemory = 64 << 20
)

// readable looks at the parameters first, so that a scheme that can't be read is
// told from a wrong passphrase, and no key asks for hours of work.
func readable(der []byte) error {
	var e encrypted
	if rest, err := asn1.Unmarshal(der, &e); err != nil || len(rest) > 0 {
		return badKey(msgBrokenKey)
	}
	if !e.Algorithm.ID.Equal(oidPBES2) {
		return badKey(msgScheme)
	}
	var p pbes2
	if _, err := asn1.Unmarshal(e.Algorithm.Params.FullBytes, &p); err != nil {
		return badKey(msgBrokenKey)
	}
	switch {
	case p.KDF.ID.Equal(oidPBKDF2):
		var kdf struct {
			Salt       []byte
			Iterations int
			Rest       asn1.RawValue `asn1:"optional"`
			More       asn1.RawValue `asn1:"optional"`
		}
		if _, err := asn1.Unmarshal(p.KDF.Params.FullBytes, &kdf); err != nil || kdf.Iterations < 1 || kdf.Iterations > maxIterations {
			return badKey(msgBrokenKey)
		}
	case p.KDF.ID.Equal(oidScrypt):
		var kdf struct {
			Salt    []byte
			N, R, P int
			Rest    asn1.RawValue `asn1:"optional"`
		}
		_, err := asn1.Unmarshal(p.KDF.Params.FullBytes, &kdf)
		if err != nil || kdf.N < 1 || kdf.R < 1 || kdf.P < 1 || kdf.P > 16 || kdf.R > 64 || kdf.N > maxScryptMemory/128/kdf.R {
			return badKey(msgBrokenKey)
		}
	default:
		return badKey(msgScheme)
	}
	return nil
}

func badKey(msg string) error {
	return &errs.Error{Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "snowflake.open", Code: "PrivateKey", Msg: msg}
}
