package csfle

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"

	josecipher "github.com/go-jose/go-jose/v4/cipher"
)

// Sizes of AEAD_AES_256_CBC_HMAC_SHA_512 and of the keys of the format, in bytes.
const (
	keySize  = 96 // MAC key 32, encryption key 32, IV key 32
	ivSize   = 16
	tagSize  = 32
	blockLen = aes.BlockSize
)

// box seals byte strings as IV | ciphertext | tag. It is the one place that
// touches the AEAD, and serves data keys and local master keys alike.
type box struct{ aead cipher.AEAD }

var errUnauthentic = errors.New("not authentic")

// newBox uses the first 64 bytes of key, which it copies, since the AEAD keeps
// a reference to its key for as long as it lives.
func newBox(key []byte) (box, error) {
	if len(key) != keySize {
		return box{}, errors.New("a key must have 96 bytes")
	}
	own := append([]byte(nil), key[:64]...)
	aead, err := josecipher.NewCBCHMAC(own, aes.NewCipher)
	return box{aead}, err
}

// sealedSize is the length of IV, ciphertext and tag for a plaintext of n bytes.
func sealedSize(n int) int { return ivSize + (n/blockLen+1)*blockLen + tagSize }

// seal appends IV, ciphertext and tag to dst.
func (b box) seal(dst []byte, iv [ivSize]byte, plain, ad []byte) []byte {
	return b.aead.Seal(append(dst, iv[:]...), iv[:], plain, ad)
}

// open authenticates and decrypts what seal appended. The lengths are checked
// before the AEAD sees them: it indexes an empty slice on an authentic empty body.
func (b box) open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < sealedSize(0) || len(sealed)%blockLen != 0 {
		return nil, errUnauthentic
	}
	plain, err := b.aead.Open(nil, sealed[:ivSize], sealed[ivSize:], ad)
	if err != nil {
		return nil, errUnauthentic
	}
	return plain, nil
}

func randomIV() (iv [ivSize]byte) {
	_, _ = rand.Read(iv[:]) // never fails: it aborts the process instead
	return iv
}
